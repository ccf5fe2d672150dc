"""Consent rates: right as far as they are told, and nothing to be learned of a few."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.answer_figures import DAY_MS, LEAST, Answers, Report, day_before, last_answers, report_of
from consent.purposes import PROFILE, SUGGEST
from events.fact import Fact
from tests.builders import DAY, HOUR, NOW, consent, fact, linked
from tests.officer.evidence_world import index_of

SAID = ("given", "refused", "withdrawn")


def answered(folder: Path, *facts: Fact, before: int = NOW + DAY) -> Counter[tuple[str, str | None, str]]:
    return Counter(
        {
            (each.purpose, each.channel, each.said): each.people
            for each in last_answers(index_of(folder, *facts), before=before)
        }
    )


def test_each_person_s_last_answer_counts_once(tmp_path: Path) -> None:
    found = answered(
        tmp_path,
        consent("given", PROFILE, identity="app:1", channel="web"),
        consent("withdrawn", PROFILE, identity="app:1", channel="phone", at=NOW + HOUR),
        consent("given", PROFILE, identity="app:2", channel="web"),
        consent("given", SUGGEST, identity="app:2", channel="web"),
    )

    assert found == {(PROFILE, "phone", "withdrawn"): 1, (PROFILE, "web", "given"): 1, (SUGGEST, "web", "given"): 1}


def test_identities_that_were_ever_linked_count_once(tmp_path: Path) -> None:
    said = [consent("given", PROFILE, identity=who, event_id="one act") for who in ("app:1", "card:1", "phone:030 1")]

    assert answered(tmp_path, *said, *linked("app:1", "card:1"), *linked("card:1", "phone:030 1")) == {
        (PROFILE, None, "given"): 1
    }


def test_on_a_tie_the_no_counts(tmp_path: Path) -> None:
    tie = [consent("given", PROFILE), consent("refused", PROFILE)]

    assert answered(tmp_path, *tie) == answered(tmp_path / "again", *reversed(tie)) == {(PROFILE, None, "refused"): 1}


@pytest.mark.parametrize("asking", ["requested", "deferred"])
def test_being_asked_counts_only_for_whoever_never_decided(tmp_path: Path, asking: str) -> None:
    asked = fact(f"consent.{asking}", purpose=PROFILE, at=NOW + HOUR)
    other = fact(f"consent.{asking}", purpose=PROFILE, identity="app:1")

    assert answered(tmp_path, consent("given", PROFILE), asked, other) == {
        (PROFILE, None, "given"): 1,
        (PROFILE, None, asking): 1,
    }


def test_what_was_heard_of_later_is_not_in_the_report(tmp_path: Path) -> None:
    late = consent("withdrawn", PROFILE, at=NOW + HOUR, received_at=NOW + 2 * DAY)

    assert answered(tmp_path, consent("given", PROFILE), late) == {(PROFILE, None, "given"): 1}


def test_the_report_of_a_day_is_the_same_all_day() -> None:
    midnight = NOW // DAY_MS * DAY_MS

    assert {day_before(midnight + at) for at in (0, 1, HOUR, DAY_MS - 1)} == {midnight}
    assert day_before(midnight - 1) == midnight - DAY_MS


def test_rates_are_told_by_purpose_channel_and_notice_and_summed_up() -> None:
    report = report_of(
        [
            Answers(PROFILE, "web", "n-1", "given", 97),
            Answers(PROFILE, "web", "n-1", "refused", 13),
            Answers(PROFILE, "store", "n-1", "given", 30),
            Answers(PROFILE, "store", "n-2", "given", 9),
        ],
        before=NOW,
    )

    assert [(each.channel, each.notice, each.people, each.share_agreeing) for each in report.figures] == [
        ("store", "n-1", {"given": 30}, 1.0),
        ("web", "n-1", {"given": 90, "refused": 10}, 0.9),
    ]
    assert [(each.purpose, each.people) for each in report.purposes] == [(PROFILE, {"given": 120, "refused": 10})]


CELLS = st.dictionaries(
    st.tuples(st.sampled_from([PROFILE, SUGGEST]), st.sampled_from(["web", "store", None]), st.sampled_from(SAID)),
    st.integers(0, 35),
    max_size=12,
)


def told(cells: dict[tuple[str, str | None, str], int], least: int = LEAST) -> Report:
    answers = [Answers(purpose, channel, None, said, people) for (purpose, channel, said), people in cells.items()]
    return report_of(answers, before=NOW, least=least)


def numbers(report: Report) -> Sequence[int]:
    return [people for each in (*report.figures, *report.purposes) for people in each.people.values()]


@given(cells=CELLS)
def test_no_figure_is_below_the_threshold(cells: dict[tuple[str, str | None, str], int]) -> None:
    assert all(people >= LEAST and people % LEAST == 0 for people in numbers(told(cells)))


@given(cells=CELLS, data=st.data())
def test_no_difference_of_figures_tells_of_fewer_than_the_threshold(
    cells: dict[tuple[str, str | None, str], int], data: st.DataObject
) -> None:
    # Whatever one combines: every world in which each count differs by less than the threshold gives the same report.
    other = {name: people // LEAST * LEAST + data.draw(st.integers(0, LEAST - 1)) for name, people in cells.items()}

    assert told(other) == told(cells)


@given(cells=CELLS)
def test_a_person_more_or_less_shows_only_where_a_threshold_is_reached(
    cells: dict[tuple[str, str | None, str], int],
) -> None:
    for name, people in cells.items():
        changed = told({**cells, name: people + 1}) != told(cells)
        assert changed == ((people + 1) % LEAST == 0)


@pytest.mark.parametrize("least", [2, 5, 25])
def test_the_threshold_is_a_setting(least: int) -> None:
    report = told({(PROFILE, "web", "given"): 24, (PROFILE, "web", "refused"): 1}, least)

    assert set(numbers(report)) <= {24 // least * least}
