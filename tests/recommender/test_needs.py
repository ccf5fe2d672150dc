"""Needs: each operator holds on the facts it names and on nothing else, and says which facts those were."""

from collections.abc import Sequence
from typing import Any

import pytest

from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from events.fact import Fact
from recommender.catalogue import Catalogue
from recommender.needs import EVIDENCE_MAX, NeedFound, needs_found
from recommender.personal import holdings
from recommender.reasons import need_reason
from tests.builders import DAY, NOW, case_opened, complaint, fact, purchased
from tests.recommender.worlds import agreed, catalogue_of, person, subscribed

CONSENT = agreed(SUGGEST, PROFILE)
WORDS = {"en": "Said {count} times.", "zh": "{count}次"}


def catalogue(*when: dict[str, Any], **more: Any) -> Catalogue:
    return catalogue_of(
        "a", "b", needs=[{"id": "n", "when": list(when), "suggests": {"a": 1.0}, "reason": WORDS} | more]
    )


def found(facts: Sequence[Fact], of: Catalogue) -> list[NeedFound]:
    personal = person(*facts).personal
    assert personal is not None
    held = holdings(personal.service, of)
    return list(needs_found(personal, catalogue=of, held=held, at=NOW))


def order(number: int, *, days_ago: int, item: str = "milk", category: str | None = "dairy", **more: Any) -> Fact:
    lines = [{"item": item, "category": category}]
    return purchased(f"o-{number}", at=NOW - days_ago * DAY, lines=lines, **more)


def contact(number: int, *topics: str, days_ago: int = 1) -> Fact:
    return fact("service.contact_started", at=NOW - days_ago * DAY, contact_id=f"c-{number}", topics=list(topics))


def alert(number: int, kind: str = "hot", severity: str = "warning", days_ago: int = 1) -> Fact:
    at = NOW - days_ago * DAY
    return fact("service.alert_raised", at=at, alert_id=f"al-{number}", kind=kind, severity=severity)


def unreached(*, days_ago: int, reached: bool = False) -> Fact:
    at = NOW - days_ago * DAY
    return fact("service.contact_ended", at=at, contact_id=f"u-{days_ago}", topics=[], reached=reached)


def resolved(days_ago: int = 1) -> Fact:
    return fact("service.case_resolved", at=NOW - days_ago * DAY, case_id="case-1")


def delivered(number: int, *, days_late: int) -> list[Fact]:
    placed = order(number, days_ago=20, promised_at=NOW - 10 * DAY)
    at = NOW - (10 - days_late) * DAY
    return [placed, fact("service.delivery_step", at=at, order_id=f"o-{number}", step="delivered")]


def scored(score: int, *, days_ago: int = 1) -> Fact:
    at = NOW - days_ago * DAY
    return fact("feedback.survey_answered", at=at, survey_id=f"s-{days_ago}", kind="nps", score=score)


BOUGHT = {"op": "bought", "items": ["milk"], "at_least": 2, "within_days": 7}
CONTACTED = {"op": "contacted", "topics": ["loan"], "at_least": 2, "within_days": 14}


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        (BOUGHT, [order(1, days_ago=1), order(2, days_ago=6)]),
        ({"op": "bought", "categories": ["dairy"], "within_days": 7}, [order(1, days_ago=1, item="x")]),
        ({"op": "ordered", "at_least": 2, "within_days": 30}, [order(1, days_ago=1), order(2, days_ago=29)]),
        ({"op": "quiet", "after_orders": 1, "for_days": 30}, [order(1, days_ago=31)]),
        ({"op": "newcomer", "within_days": 30}, [order(1, days_ago=29), order(2, days_ago=1)]),
        (CONTACTED, [contact(1, "loan"), contact(2, "loan", "fees")]),
        (CONTACTED, [contact(1, "loan"), case_opened("k", topics=["loan"], at=NOW - DAY)]),
        ({"op": "alerted", "kinds": ["hot"], "within_days": 7}, [alert(1)]),
        ({"op": "complained", "state": "open", "within_days": 7}, [complaint(at=NOW - DAY)]),
        ({"op": "complained", "state": "solved", "within_days": 7}, [complaint(at=NOW - 2 * DAY), resolved()]),
        ({"op": "scored", "survey": "nps", "at_least": 9, "within_days": 30}, [scored(2, days_ago=9), scored(9)]),
        ({"op": "visited", "within_days": 1}, [fact("service.visited", at=NOW - DAY // 2, place="shop")]),
        ({"op": "delivered_late", "at_least": 1, "within_days": 90}, delivered(1, days_late=2)),
        ({"op": "holds", "services": ["b"]}, [subscribed("b")]),
        ({"op": "holds", "services": ["b"], "within_days": 5}, [subscribed("b", at=NOW - 4 * DAY)]),
        ({"op": "unreached", "within_days": 3}, [unreached(days_ago=2)]),
        (
            {"op": "described", "attribute": "plan", "equals": "gold"},
            [
                fact("identity.described", attributes={"plan": "gold"}, at=NOW - DAY),
            ],
        ),
    ],
)
def test_a_need_holds_on_its_facts_and_names_them(condition: dict[str, Any], facts: list[Fact]) -> None:
    (need,) = found([*CONSENT, *facts], catalogue(condition))

    assert need.evidence.facts >= 1
    assert need.evidence.keys
    assert set(need.evidence.keys) <= {some.event_key.hex() for some in facts}


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        (BOUGHT, [order(1, days_ago=1)]),
        (BOUGHT, [order(1, days_ago=1), order(2, days_ago=8)]),
        (BOUGHT, [order(1, days_ago=1), order(1, days_ago=1)]),
        (BOUGHT, [order(1, days_ago=1), order(2, days_ago=1), fact("transaction.cancelled", order_id="o-2")]),
        ({"op": "quiet", "after_orders": 1, "for_days": 30}, [order(1, days_ago=31), order(2, days_ago=29)]),
        ({"op": "quiet", "after_orders": 1, "for_days": 30}, []),
        ({"op": "newcomer", "within_days": 30}, [order(1, days_ago=31), order(2, days_ago=1)]),
        (CONTACTED, [contact(1, "loan"), contact(2, "fees")]),
        (CONTACTED, [contact(1, "loan"), contact(2, "loan", days_ago=15)]),
        ({"op": "alerted", "kinds": ["hot"], "within_days": 7}, [alert(1, "cold"), alert(2, severity="info")]),
        ({"op": "complained", "state": "open", "within_days": 7}, [complaint(at=NOW - 2 * DAY), resolved()]),
        ({"op": "complained", "state": "solved", "within_days": 7}, [complaint(at=NOW - DAY)]),
        ({"op": "scored", "survey": "nps", "at_least": 9, "within_days": 30}, [scored(9, days_ago=9), scored(2)]),
        ({"op": "visited", "within_days": 1}, [fact("service.visited", at=NOW - 2 * DAY, place="shop")]),
        ({"op": "delivered_late", "at_least": 1, "within_days": 90}, delivered(1, days_late=0)),
        ({"op": "holds", "services": ["b"]}, [subscribed("a")]),
        ({"op": "holds", "services": ["b"], "within_days": 5}, [subscribed("b", at=NOW - 6 * DAY)]),
        ({"op": "unreached", "within_days": 3}, [unreached(days_ago=4), contact(1, "loan")]),
        ({"op": "unreached", "within_days": 3}, [unreached(days_ago=1, reached=True)]),
        (
            {"op": "holds", "services": ["b"]},
            [
                subscribed("b"),
                fact("transaction.cancelled", subscription_id="sub-b"),
            ],
        ),
        (
            {"op": "described", "attribute": "plan", "equals": "gold"},
            [
                fact("identity.described", attributes={"plan": "silver"}, at=NOW - DAY),
            ],
        ),
    ],
)
def test_a_need_does_not_hold_on_other_facts(condition: dict[str, Any], facts: list[Fact]) -> None:
    assert not found([*CONSENT, *facts], catalogue(condition))


def test_all_conditions_have_to_hold_and_all_their_facts_are_named() -> None:
    both = catalogue(BOUGHT, CONTACTED)
    milk = [order(1, days_ago=1), order(2, days_ago=2)]
    calls = [contact(1, "loan"), contact(2, "loan")]

    assert not found([*CONSENT, *milk], both)
    (need,) = found([*CONSENT, *milk, *calls], both)
    assert set(need.evidence.keys) == {some.event_key.hex() for some in (*milk, *calls)}
    assert need.evidence.facts == 2


@pytest.mark.parametrize(("days", "holds"), [(4, 0), (6, 1)])
def test_what_was_taken_a_while_ago_may_be_lacked_again(days: int, holds: int) -> None:
    lately = catalogue(CONTACTED, {"op": "lacks", "services": ["b"], "within_days": 5})
    calls = [contact(1, "loan"), contact(2, "loan")]

    assert len(found([*CONSENT, *calls, subscribed("b", at=NOW - days * DAY)], lately)) == holds


def test_what_shows_that_a_fact_counts_is_named_beside_it() -> None:
    filed, solved = complaint(at=NOW - 2 * DAY), resolved()
    placed, delivery = delivered(1, days_late=2)
    of_complaint = catalogue({"op": "complained", "state": "solved", "within_days": 7})
    of_delivery = catalogue({"op": "delivered_late", "within_days": 90})

    for of, facts in ((of_complaint, [filed, solved]), (of_delivery, [placed, delivery])):
        (need,) = found([*CONSENT, *facts], of)
        assert set(need.evidence.keys) == {some.event_key.hex() for some in facts}
        assert need.evidence.facts == 1


def test_of_very_many_facts_the_newest_are_named_and_the_count_says_so() -> None:
    calls = [contact(number, "loan") for number in range(EVIDENCE_MAX + 1)]

    (need,) = found([*CONSENT, *calls], catalogue(CONTACTED))

    assert (need.evidence.facts, len(need.evidence.keys)) == (EVIDENCE_MAX + 1, EVIDENCE_MAX)
    assert need_reason(need).text.en == f"Said {EVIDENCE_MAX}+ times."


def test_the_newest_facts_are_named_first() -> None:
    calls = [contact(number, "loan", days_ago=number) for number in range(1, 9)]

    (need,) = found([*CONSENT, *reversed(calls)], catalogue(CONTACTED))

    assert need.evidence.keys == tuple(call.event_key.hex() for call in calls)
    assert need.evidence.facts == 8


def test_what_tells_of_children_is_seen_only_where_that_was_agreed_to() -> None:
    formula = [order(number, days_ago=number, item="formula", category="baby") for number in (1, 2)]
    baby = catalogue({"op": "bought", "items": ["formula"], "at_least": 2, "within_days": 7}, sensitive=True)

    assert not found([*CONSENT, *formula], baby)
    assert found([*CONSENT, *agreed(SENSITIVE), *formula], baby)


def test_a_sensitive_line_is_unseen_even_by_a_need_that_only_names_the_item() -> None:
    formula = [order(number, days_ago=number, item="formula", category="baby") for number in (1, 2)]
    careless = catalogue({"op": "bought", "items": ["formula"], "at_least": 2, "within_days": 7})

    assert not found([*CONSENT, *formula], careless)


def test_a_need_marked_sensitive_is_closed_whatever_its_facts_are() -> None:
    call = contact(1, "pregnancy")
    marked = catalogue({"op": "contacted", "topics": ["pregnancy"], "within_days": 30}, sensitive=True)

    assert not found([*CONSENT, call], marked)
    assert found([*CONSENT, *agreed(SENSITIVE), call], marked)
