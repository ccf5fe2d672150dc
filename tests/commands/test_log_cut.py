"""Where a log parted from what was read of it."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from commands.log_cut import WINDOW, Rows, last_agreed
from events.history import ArchivedRow


def telling(words: Sequence[str | None]) -> Rows:
    """A log with these records, None where an offset holds none."""
    held = [ArchivedRow(at, 1000 + at, b"k", word.encode()) for at, word in enumerate(words) if word is not None]
    return lambda start, end: [row for row in held if start <= row.offset < end]


def test_two_that_are_the_same_part_nowhere() -> None:
    same = telling(["a"] * 7)
    assert last_agreed(same, same, first=0, end=7) == 7


def test_two_that_have_nothing_in_common_part_at_the_first() -> None:
    assert last_agreed(telling(["a"] * 7), telling(["b"] * 7), first=2, end=7) == 2


def test_a_record_that_only_one_of_them_has_is_where_they_part() -> None:
    assert last_agreed(telling(["a", "b", None, "d"]), telling(["a", "b", "c", "d"]), first=0, end=4) == 2


def test_nothing_to_compare_is_no_agreement_beyond_the_first() -> None:
    assert last_agreed(telling([]), telling([]), first=3, end=3) == 3


@given(
    common=st.lists(st.sampled_from(["a", "b", None]), max_size=12),
    windows=st.integers(0, 2),
    ours=st.integers(0, WINDOW + 3),
    theirs=st.integers(0, WINDOW + 3),
)
def test_they_part_behind_the_last_record_they_share_however_far_back_that_is(
    common: list[str | None], windows: int, ours: int, theirs: int
) -> None:
    """Between that record and the next offsets may be empty in both: either end of those is true."""
    shared = [*(["x"] * (windows * WINDOW)), *common]
    log, history = [*shared, *["ours"] * ours], [*shared, *["theirs"] * theirs]
    end = min(len(log), len(history))

    parted = last_agreed(telling(log), telling(history), first=0, end=end)

    last = max((at for at, word in enumerate(shared) if word is not None), default=-1)
    assert last + 1 <= parted <= max(len(shared), last + 1) or parted == 0 == last + 1
