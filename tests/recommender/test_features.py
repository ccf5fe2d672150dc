"""What the rankers see of a person: what they said and how it went, and nothing that is closed."""

from typing import Any

import pytest

from consent.purposes import PROFILE, SENSITIVE, SUGGEST, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from profiles.facet import Attribute, AttributeSection, ServiceSection
from recommender.choices import presented_between
from recommender.features import own_takings, person_features
from recommender.personal import PersonalFacts
from recommender.training import train
from tests.builders import DAY, HOUR, NOW, complaint, fact, purchased
from tests.recommender.worlds import (
    CHECKERBOARD,
    CODE,
    SMALL,
    agreed,
    catalogue_of,
    log_of,
    person,
    subscribed,
    taken_by,
)

CONSENT = agreed(SUGGEST, PROFILE)
YEAR = 365 * DAY
MARKED = catalogue_of("plain", "secret", secret={"sensitive": True})


def features(*facts: Fact, catalogue: Any = CHECKERBOARD, more: tuple[str, ...] = ()) -> set[str]:
    who = person(*CONSENT, *agreed(*more), *facts, catalogue=catalogue)
    assert who.personal is not None
    return set(person_features(who.personal, catalogue=catalogue, at=NOW))


def answered(service: str, answer: str, *, at: int = NOW - DAY, identity: str = "app:42") -> Fact:
    decision = f"d-{service}"
    return fact(
        "feedback.suggestion_answered", at=at, identity=identity, decision=decision, service=service, answer=answer
    )


def ordered(name: str, *, at: int) -> Fact:
    lines = [{"item": "B-1", "amount": 100}, {"item": "M-1", "category": "dairy", "amount": 100}]
    return purchased(name, at=at, event_id=name, lines=lines)


def contact(name: str, step: str, topic: str, *, at: int = NOW - DAY) -> Fact:
    said: dict[str, Any] = {} if step == "started" else {"to_human": True, "reached": True}
    return fact(f"service.contact_{step}", at=at, contact_id=name, topics=[topic], event_id=f"{name} {step}", **said)


def test_orders_of_the_last_year_are_counted_that_were_placed_and_not_cancelled() -> None:
    facts = [
        ordered("now", at=NOW),
        ordered("a-year-ago", at=NOW - YEAR),
        ordered("before-that", at=NOW - YEAR - 1),
        ordered("cancelled", at=NOW - DAY),
        fact("transaction.cancelled", at=NOW, order_id="cancelled"),
        fact("service.delivery_step", at=NOW, order_id="never-seen-placed", step="delivered"),
    ]
    who = person(*CONSENT, *facts)
    assert who.personal is not None

    seen = person_features(who.personal, catalogue=CHECKERBOARD, at=NOW)

    assert set(seen) == {"orders:few", "category:dairy"}
    for _, cells in seen.values():
        assert {cell.key for cell in cells} == {facts[0].event_key, facts[1].event_key}


def test_the_topics_of_the_last_year_are_seen_as_they_were_said_first() -> None:
    facts = [
        contact("both", "started", "loan"),
        contact("both", "ended", "card"),
        contact("begun", "started", "fees"),
        contact("over", "ended", "moving"),
        contact("old", "started", "pension", at=NOW - YEAR - 1),
    ]

    topics = {name for name in features(*facts) if name.startswith("topic:")}

    assert topics == {"topic:loan", "topic:fees", "topic:moving"}


def test_words_and_yes_or_no_are_seen_of_what_was_described_and_numbers_are_not() -> None:
    said = {"plan": "gold", "owner": True, "visits": 30}
    described = fact("identity.described", at=NOW - DAY, attributes={**said, "religion": "none"})

    kept = {more: features(described, more=more) - {"orders:none"} for more in ((), (SENSITIVE,))}

    assert kept[()] == {"described:plan=gold", "described:owner=True"}
    assert kept[SENSITIVE,] == kept[()] | {"described:religion=none"}


def test_an_attribute_of_which_nothing_is_stated_is_no_feature() -> None:
    empty = PersonalFacts(service=ServiceSection(), build=AttributeSection(attributes={"plan": Attribute()}))

    assert set(person_features(empty, catalogue=CHECKERBOARD, at=NOW)) == {"orders:none"}


def test_a_complaint_is_seen_as_long_as_it_is_open_and_after_it_was_solved() -> None:
    solved = fact("service.case_resolved", at=NOW - DAY, case_id="case-1", resolution="sent-anew")

    assert "complaint:open" in features(complaint(at=NOW - 2 * DAY))
    assert "complaint:solved" in features(complaint(at=NOW - 2 * DAY), solved)
    assert not any(name.startswith("complaint") for name in features(complaint(at=NOW - 400 * DAY)))


@pytest.mark.parametrize(("kind", "score", "word"), [("nps", 9, "high"), ("csat", 3, "middle"), ("ces", 1, "low")])
def test_the_latest_score_is_seen_as_a_word(kind: str, score: int, word: str) -> None:
    earlier = fact("feedback.survey_answered", at=NOW - 9 * DAY, survey_id="s-0", kind="csat", score=5)
    latest = fact("feedback.survey_answered", at=NOW - DAY, survey_id="s-1", kind=kind, score=score)

    assert {name for name in features(earlier, latest) if name.startswith("satisfaction")} == {f"satisfaction:{word}"}


def test_what_was_declined_is_seen_and_what_was_accepted_is_a_taking() -> None:
    unanswered = fact("feedback.suggestion_presented", at=NOW - DAY, decision="d-s3", service="s3")
    facts = (answered("s1", "declined"), answered("s2", "accepted"), answered("gone", "declined"), unanswered)
    who = person(*CONSENT, *facts, catalogue=CHECKERBOARD)
    assert who.personal is not None

    seen = person_features(who.personal, catalogue=CHECKERBOARD, at=NOW)
    assert {name for name in seen if name.startswith("declined")} == {"declined:s1"}
    assert list(own_takings(who.personal, CHECKERBOARD)) == ["s2"]


def test_what_tells_of_a_sensitive_service_is_seen_only_where_that_is_open() -> None:
    facts = (answered("secret", "declined"), answered("plain", "declined"), subscribed("secret"), subscribed("plain"))

    closed, opened = (features(*facts, catalogue=MARKED, more=more) for more in ((), (SENSITIVE,)))
    assert closed == {"orders:none", "declined:plain"}
    assert opened == closed | {"declined:secret"}
    for more, taken in ((), {"plain"}), ((SENSITIVE,), {"plain", "secret"}):
        who = person(*CONSENT, *agreed(*more), *facts, catalogue=MARKED)
        assert who.personal is not None
        assert own_takings(who.personal, MARKED).keys() == taken


def test_every_taking_that_stands_counts_and_one_that_was_ended_does_not() -> None:
    lines = [{"item": "i-1", "amount": 100}]
    catalogue = catalogue_of("milk", "club", milk={"counts": {"items": ["i-1"]}})
    orders = [
        fact(
            "transaction.purchased",
            at=NOW - day * DAY,
            order_id=f"o-{day}",
            total={"amount": 100, "currency": "EUR"},
            lines=lines,
        )
        for day in (1, 2, 3)
    ]
    ended = fact("transaction.cancelled", at=NOW - HOUR, subscription_id="sub-club")
    who = person(*CONSENT, *orders, subscribed("club"), ended, catalogue=catalogue)
    assert who.personal is not None

    assert {name: len(found) for name, found in own_takings(who.personal, catalogue).items()} == {"milk": 3}


def test_a_presentation_counts_as_a_no_once_it_was_not_answered_for_long() -> None:
    def shown(service: str, *, at: int) -> Fact:
        return fact("feedback.suggestion_presented", at=at, decision=f"d-{service}", service=service)

    told = [
        shown("s1", at=NOW - 9 * DAY),
        shown("s2", at=NOW - DAY),
        shown("s3", at=NOW - DAY),
        answered("s3", "accepted"),
    ]

    found = presented_between({"p": told}, since=NOW - 10 * DAY, until=NOW, patience=7 * DAY)

    assert {each.service: each.accepted for each in found} == {"s1": False, "s3": True}


@pytest.mark.thorough
def test_a_sensitive_service_that_was_declined_leaves_no_trace_in_a_model_where_that_is_closed() -> None:
    marked = catalogue_of(*(f"s{number}" for number in range(10)), "secret", secret={"sensitive": True})
    people = [some for customer in range(20) for some in taken_by(customer)]
    declined = [answered("secret", "declined", at=NOW - 90 * DAY, identity=f"app:{each}") for each in range(20)]

    def name(*facts: Fact) -> str:
        made = train(log_of(facts), catalogue=marked, at=NOW, code=CODE, plan=SMALL, rules=shipped_rules())
        return made.artifact.name

    assert name(*people, *declined) == name(*people)
    open_to_it = [some for each in range(20) for some in agreed(TRAIN, SENSITIVE, identity=f"app:{each}")]
    assert name(*people, *open_to_it, *declined) != name(*people, *open_to_it)
