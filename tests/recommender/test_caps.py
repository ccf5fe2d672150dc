"""Caps: suggestions and messages are one count of what reached the person; a panel that is refreshed is one."""

from itertools import permutations
from typing import Any

import pytest

from consent.purposes import PROFILE, SUGGEST
from events.fact import Fact
from recommender.artifact import untrained
from recommender.caps import PANEL_MS, Told, times_heard
from recommender.catalogue import Catalogue
from recommender.suggestion import Answer
from tests.builders import DAY, HOUR, MINUTE, NOW, fact, linked
from tests.recommender.worlds import CODE, agreed, answer, catalogue_of, person, services

CONSENT = agreed(SUGGEST, PROFILE)
SELLS = {"issue": "sell"}


def catalogue(at_most: int = 2, **extra: Any) -> Catalogue:
    made = catalogue_of("a", "b", "c", "help", **({"a": SELLS, "b": SELLS, "c": SELLS} | extra))
    said = made.model_dump(mode="json") | {"cap": {"at_most": at_most, "within_days": 7}}
    return Catalogue.model_validate(said)


def asked(*facts: Fact, of: Catalogue) -> Answer:
    return answer(person(*facts, catalogue=of), artifact=untrained(of, code=CODE), catalogue=of)


def presented(service: str, *, ago: int, decision: str = "p1", identity: str = "app:42") -> Fact:
    return fact(
        "feedback.suggestion_presented",
        identity=identity,
        at=NOW - ago,
        decision=decision,
        service=service,
        event_id=f"{decision} {service} {ago}",
    )


def written(service: str, *, ago: int) -> Fact:
    return fact("outreach.sent", at=NOW - ago, outreach=f"0-{ago}", trigger="t", service=service)


def capped(given: Answer) -> set[str]:
    return {entry.service for entry in given.withheld if entry.stage == "caps"}


def test_panels_and_messages_add_up_and_then_only_what_helps_is_left() -> None:
    one = [presented("a", ago=3 * DAY)]
    two = [*one, written("b", ago=2 * DAY)]

    assert not capped(asked(*CONSENT, *one, of=catalogue()))
    full = asked(*CONSENT, *two, of=catalogue())
    assert capped(full) == {"a", "b", "c"}
    assert services(full) == ["help", "else"]
    assert {entry.because for entry in full.withheld} == {"heard enough offers lately"}


def test_what_was_heard_before_the_window_is_forgotten() -> None:
    told = [presented("a", ago=8 * DAY), presented("b", ago=2 * DAY, decision="p2")]

    assert not capped(asked(*CONSENT, *told, of=catalogue()))


def test_what_helps_neither_counts_nor_is_held_back() -> None:
    told = [presented("help", ago=2 * DAY + number * HOUR, decision=f"p{number}") for number in range(9)]

    assert not capped(asked(*CONSENT, *told, of=catalogue()))


def test_a_panel_that_is_refreshed_is_one_presentation() -> None:
    refreshed = [
        presented(each, ago=2 * DAY - number * 10 * MINUTE, decision=f"p{number}") for number, each in enumerate("aab")
    ]
    later = presented("c", ago=2 * DAY - PANEL_MS, decision="p9")

    assert not capped(asked(*CONSENT, *refreshed, of=catalogue()))
    assert capped(asked(*CONSENT, *refreshed, later, of=catalogue()))


def test_the_count_does_not_depend_on_the_order_in_which_it_became_known() -> None:
    times = [0, PANEL_MS - 1, PANEL_MS, PANEL_MS + 1, 3 * PANEL_MS]
    told = [*(Told(at, "a") for at in times), Told(0, "a", "m"), Told(5, "b", "m")]

    assert {times_heard(list(each)) for each in permutations(told)} == {4}


def test_what_was_presented_without_anything_personal_does_not_count() -> None:
    general = [presented("a", ago=2 * DAY, decision="g1"), presented("b", ago=3 * DAY, decision="g2")]

    assert not capped(asked(*CONSENT, *general, of=catalogue(at_most=1)))
    assert capped(asked(*CONSENT, presented("a", ago=2 * DAY), of=catalogue(at_most=1)))


def test_a_decision_says_by_its_name_whether_it_was_a_general_one() -> None:
    assert asked(of=catalogue()).decision.startswith("g")
    assert asked(*CONSENT, of=catalogue()).decision.startswith("p")


def test_without_consent_no_cap_is_asked() -> None:
    told = [presented("a", ago=2 * DAY), presented("b", ago=3 * DAY, decision="p2")]

    assert not capped(asked(*told, of=catalogue()))


def test_the_cap_is_the_sum_over_all_identities_of_the_person() -> None:
    told = [presented("a", ago=2 * DAY), presented("b", ago=3 * DAY, decision="p2", identity="card:7")]

    assert not capped(asked(*CONSENT, *told, of=catalogue()))
    assert capped(asked(*CONSENT, *linked("app:42", "card:7", at=NOW - 9 * DAY), *told, of=catalogue()))


@pytest.mark.parametrize(("days", "held_back"), [(19, {"help"}), (21, set())])
def test_a_service_may_have_a_cap_of_its_own(days: int, held_back: set[str]) -> None:
    own = catalogue(at_most=9, help={"cap": {"at_most": 2, "within_days": 20}})
    told = [presented("help", ago=2 * DAY, decision="p1"), presented("help", ago=days * DAY, decision="p2")]

    assert capped(asked(*CONSENT, *told, of=own)) == held_back


def test_a_mandatory_service_is_told_whatever_was_heard() -> None:
    duty = catalogue(at_most=1, c={"kind": "mandatory", "cap": {"at_most": 0, "within_days": 7}})

    given = asked(*CONSENT, presented("a", ago=2 * DAY), of=duty)

    assert services(given) == ["c", "help", "else"]


def test_a_cap_of_none_lets_nobody_hear_an_offer() -> None:
    assert services(asked(*CONSENT, of=catalogue(at_most=0))) == ["help", "else"]


def test_told_an_hour_ago_it_rests_and_is_not_called_capped() -> None:
    given = asked(*CONSENT, presented("a", ago=HOUR), of=catalogue())

    assert [(entry.service, entry.stage) for entry in given.withheld] == [("a", "suitable")]
