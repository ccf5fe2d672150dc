"""What is fitted on, what is chosen on, and what is judged on: nothing of the later ever reaches the earlier."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from recommender.interactions import Interactions, LongArray, Mask

TRAIN_SHARE: Final = 0.7
VALIDATION_SHARE: Final = 0.15
_KNOWN_SHARE_MIN: Final = 0.5
_ROWS_EACH_MIN: Final = 5

Order = Literal["time", "own", "none"]
"""What tells which rows came first: times, the numbers of a person's own rows, or nothing."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Exam:
    """What is known when each person is asked (`at`, ms by person), and what they then took.

    `once` (m) are items nobody takes again: whoever has one is not asked about it.
    """

    known: Interactions
    taken: Interactions
    at: LongArray
    once: Mask | None = None


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Split:
    """Two exams, one to choose by and one to judge by, and how they were made, in words."""

    validation: Exam
    test: Exam
    how: str


def split_by_time(data: Interactions, *, validate_from: int, test_from: int) -> Split:
    """The same moments (ms) for everybody: what is known at the cut, what came between it and the next."""
    return Split(
        validation=_exam(data, known=data.at < validate_from, taken=_between(data, validate_from, test_from)),
        test=_exam(data, known=data.at < test_from, taken=data.at >= test_from),
        how="one moment for everybody",
    )


def split_by_person(data: Interactions, *, seed: int | None) -> Split:
    """The last rows of each person are judged on, those before them chosen on; by chance where there is no time."""
    key = data.at if seed is None else np.random.default_rng(seed).permutation(len(data))
    order = np.lexsort((key, data.person))
    place = np.empty(len(data), np.int64)
    place[order] = np.arange(len(data)) - data.starts[data.person[order]]
    size = np.diff(data.starts)[data.person]
    tested = place >= np.minimum(np.ceil((TRAIN_SHARE + VALIDATION_SHARE) * size), size - (size > 1))
    chosen = ~tested & (place >= np.ceil(TRAIN_SHARE * size))
    how = "each person's last" if seed is None else "by chance, as there is no time: some of each person's"
    return Split(
        validation=_exam(data, known=~tested & ~chosen, taken=chosen),
        test=_exam(data, known=~tested, taken=tested),
        how=how,
    )


def leave_one_out(data: Interactions, *, seed: int) -> Split:
    """One item held back of a third of the people to choose by, of another third to judge by, for ownership.

    The third part of people stays whole: who lacks an item in the fit must not be known by lacking it.
    """
    random = np.random.default_rng(seed)
    order = np.lexsort((random.permutation(len(data)), data.person))
    first = order[data.starts[:-1][np.diff(data.starts) > 1]]
    third = random.permutation(len(first)) % 3
    held = [np.isin(np.arange(len(data)), first[third == part]) for part in (0, 1)]
    return Split(
        validation=_exam(data, known=~held[0] & ~held[1], taken=held[0]),
        test=_exam(data, known=~held[1], taken=held[1]),
        how="one item held back of each person of a third, by chance, as there is no time",
    )


def split_for(
    data: Interactions, *, order: Order, seed: int, validate_from: int | None = None, test_from: int | None = None
) -> Split:
    """The split that fits the data; moments that are given decide.

    By time where most of those asked are known by then; else, or where times only number a person's own rows, by the
    end of each person's rows. Without times, one item held back where each pair stands once, else rows by chance.
    """
    if order == "none":
        return leave_one_out(data, seed=seed) if data.taken.nnz == len(data) else split_by_person(data, seed=seed)
    if test_from is not None:
        # As long a time to choose by as there is to judge by.
        earlier = test_from - (data.newest + 1 - test_from) if validate_from is None else validate_from
        return split_by_time(data, validate_from=earlier, test_from=test_from)
    cuts = cuts_of(data.at)
    if order == "own" or cuts is None:
        return split_by_person(data, seed=None)
    found = split_by_time(data, validate_from=cuts[0], test_from=cuts[1])
    long_enough = np.diff(data.starts) >= _ROWS_EACH_MIN
    if _share_known(found.test) < _KNOWN_SHARE_MIN and long_enough.mean() > _KNOWN_SHARE_MIN:
        return split_by_person(data, seed=None)
    return found


def cuts_of(at: LongArray) -> tuple[int, int] | None:
    """When choosing and judging begin (ms), by how many rows lie before; None without three moments.

    Where one moment holds that many (what everybody had when counting began, a month told as one day), it is those
    next to it: each of the three stretches holds something.
    """
    moments, counts = np.unique(at, return_counts=True)
    if len(moments) < 3:
        return None
    before = np.cumsum(counts) - counts
    # A moment with most of the rows is where everything begins, and tells nothing of what came after.
    shares = before if before[1] <= TRAIN_SHARE * len(at) else before - before[1]
    reach = shares[-1] + counts[-1]
    choose, judge = (
        int(np.searchsorted(shares, int(share * reach), side="right")) - 1
        for share in (TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE)
    )
    judge = min(max(judge, 2), len(moments) - 1)
    choose = min(max(choose, 1), judge - 1)
    return int(moments[choose]), int(moments[judge])


def _exam(data: Interactions, *, known: Mask, taken: Mask) -> Exam:
    before, asked = data.only(known), data.only(taken)
    # Nobody is asked before the last row that is known of them.
    at = np.full(len(data.people), before.newest + 1)
    people, first = np.unique(asked.person, return_index=True)
    at[people] = np.minimum(asked.at[first] + 1, at[people])
    return Exam(known=before, taken=asked, at=at)


def _between(data: Interactions, start: int, end: int) -> Mask:
    found: Mask = (data.at >= start) & (data.at < end)
    return found


def _share_known(exam: Exam) -> float:
    asked = np.unique(exam.taken.person)
    return float(np.isin(asked, exam.known.person).mean()) if len(asked) else 0.0
