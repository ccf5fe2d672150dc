"""Traits against figures worked out by hand."""

import random
from pathlib import Path
from typing import Any

import pytest

from consent.door import Refused
from consent.purposes import PROFILE, PURPOSES, SENSITIVE, SERVICE
from events.fact import Fact
from profiles.facet import ServiceSection
from profiles.traits.table import TRAITS, traits_of, traits_page
from profiles.traits.trait import TraitValue
from tests.builders import DAY, HOUR, NOW, case_opened, complaint, consent, fact, linked, money, pseudonym, purchased
from tests.profiles.world import seen

TODAY = NOW + 1000 * DAY
AGREED = consent("given", PROFILE)
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "traits.md"


async def traits(*facts: Fact, at: int = TODAY) -> dict[str, TraitValue | Refused]:
    return traits_of(await seen(pseudonym("app:42"), *facts, at=at), at=at, known_at=at)


async def found(name: str, *facts: Fact, at: int = TODAY) -> TraitValue:
    trait = (await traits(AGREED, *facts, at=at))[name]
    assert isinstance(trait, TraitValue)
    return trait


async def value(name: str, *facts: Fact, at: int = TODAY) -> Any:
    return (await found(name, *facts, at=at)).value


def order(days_ago: float, amount: int = 1000, **rest: Any) -> Fact:
    return purchased(f"o-{days_ago}", at=TODAY - int(days_ago * DAY), amount=amount, **rest)


def bought(days_ago: float, *categories: str) -> Fact:
    return order(days_ago, lines=[{"item": f"i-{category}", "category": category} for category in categories])


ORDERS = [
    order(700, 100_00),
    order(200, 30_00),
    order(100, 50_00),
    order(10, 20_05),
    order(5, 999_00),
    fact("transaction.cancelled", at=TODAY - 4 * DAY, order_id="o-5"),
    fact("transaction.refunded", at=TODAY - 90 * DAY, order_id="o-100", refund=money(10_00)),
]


@pytest.mark.parametrize(
    ("name", "expected", "sample"),
    [
        ("orders", 4, 4),
        ("revenue", {"EUR": 200_05}, 4),
        ("average_order", {"EUR": 50_01}, 4),  # 200.05 / 4 = 50.0125
        ("refunds", {"EUR": 10_00}, 1),
        ("repeat_purchase", {"returned": True, "mean_gap_days": 230.0}, 4),  # (700 - 10) / 3
        # 10 days: 5; four orders in 730 days: 3; 200.05 - 10.00 = 190.05: 2
        ("rfm", {"recency": 5, "frequency": 3, "money": 2, "score": "532"}, 4),
        ("value_tier", "bronze", 3),  # in 365 days 30 + 50 + 20.05 - 10 = 90.05
        ("lifecycle_stage", "active", 4),
    ],
)
async def test_what_was_bought(name: str, expected: Any, sample: int) -> None:
    trait = await found(name, *ORDERS)
    assert (trait.value, trait.sample_size) == (expected, sample)


@pytest.mark.parametrize(
    ("days_ago", "stage"),
    [
        ([10], "new"),
        ([90], "new"),
        ([91], "active"),
        ([180], "active"),
        ([181], "at_risk"),
        ([365], "at_risk"),
        ([366], "lapsed"),
        ([500, 100], "won_back"),
        ([500, 135, 100], "active"),  # a gap of exactly 365 days is none
        ([900, 400, 100], "active"),  # came back 400 days ago: 500 days of gap, but 300 days until the last order
        ([300, 200, 100, 50], "loyal"),
        ([400, 200, 100, 50], "active"),
    ],
)
async def test_the_lifecycle_stage_follows_the_documented_rules(days_ago: list[float], stage: str) -> None:
    assert await value("lifecycle_stage", *map(order, days_ago)) == stage


async def test_an_average_of_half_a_cent_is_rounded_up_and_currencies_are_never_added() -> None:
    yen = fact("transaction.purchased", at=TODAY - DAY, order_id="o-yen", total=money(500, "JPY"))
    facts = [order(3, 10_00), order(2, 10_01), yen]
    assert await value("average_order", *facts) == {"EUR": 10_01, "JPY": 500}
    assert await value("revenue", *facts) == {"EUR": 20_01, "JPY": 500}


async def test_affinities_halve_every_ninety_days_and_count_a_category_once_per_order() -> None:
    # grocery 1 + 0.5, garden 0.5
    facts = [bought(0, "grocery", "grocery"), bought(90, "grocery", "garden")]
    assert await value("category_affinities", *facts) == {"grocery": 0.75, "garden": 0.25}


async def test_categories_that_tell_of_children_are_used_only_with_consent_to_sensitive_data() -> None:
    facts = [bought(0, "grocery"), bought(90, "grocery", "baby"), bought(1, "baby")]
    without = await found("category_affinities", *facts)
    assert without.value == {"grocery": 1.0}
    assert facts[2].event_key.hex() not in without.evidence
    asked = await found("category_affinities", consent("given", SENSITIVE), *facts[:2])
    assert asked.value == {"grocery": 0.75, "baby": 0.25}


CASES = [
    case_opened("case-1", at=TODAY - 10 * DAY),
    fact("service.case_replied", at=TODAY - 10 * DAY + 2 * HOUR, case_id="case-1"),
    fact("service.case_replied", at=TODAY - 10 * DAY + 5 * HOUR, case_id="case-1"),
    fact("service.case_resolved", at=TODAY - 9 * DAY, case_id="case-1"),
    case_opened("case-2", at=TODAY - 5 * DAY),
    fact("service.case_replied", at=TODAY - 5 * DAY + 1 * HOUR, case_id="case-2", by="customer"),
    fact("service.case_replied", at=TODAY - 5 * DAY + 4 * HOUR, case_id="case-2"),
    complaint("case-3", at=TODAY - 3 * DAY),
    fact("service.case_resolved", at=TODAY - 1 * DAY, case_id="case-3"),
    fact("service.case_reopened", at=TODAY - 12 * HOUR, case_id="case-3"),
]


@pytest.mark.parametrize(
    ("name", "expected", "sample"),
    [
        ("open_cases", 2, 2),
        ("open_complaints", 1, 1),
        ("complaint_recency", {"days": 3, "complaints": 1}, 1),
        ("first_answer_time", {"mean_ms": 3.0 * HOUR, "longest_ms": 4 * HOUR}, 2),
        ("solution_time", {"mean_ms": 24.0 * HOUR, "longest_ms": 24 * HOUR}, 1),
        ("reopen_rate", 0.5, 2),
    ],
)
async def test_how_cases_went(name: str, expected: Any, sample: int) -> None:
    trait = await found(name, *CASES)
    assert (trait.value, trait.sample_size) == (expected, sample)


async def test_a_case_with_more_answers_than_are_kept_has_no_known_first_answer() -> None:
    replies = [fact("service.case_replied", at=TODAY - DAY + minute, case_id="case-1") for minute in range(1, 20)]
    assert await value("first_answer_time", case_opened("case-1", at=TODAY - DAY), *replies[:3]) is not None
    assert await value("first_answer_time", case_opened("case-1", at=TODAY - DAY), *replies) is None


def contact(name: str, days_ago: int, *, channel: str = "phone", outbound: bool = False, **ended: Any) -> list[Fact]:
    at = TODAY - days_ago * DAY
    started = fact("service.contact_started", at=at, contact_id=name, channel=channel, outbound=outbound)
    return [started, fact("service.contact_ended", at=at + HOUR, contact_id=name, **ended)] if ended else [started]


CONTACTS = [
    *contact("c-1", 20, wait_ms=30_000),
    *contact("c-2", 10, channel="app", wait_ms=90_000, to_human=True),
    *contact("c-3", 5),
    *contact("c-4", 4, outbound=True, reached=False),
    *contact("c-5", 3, outbound=True, reached=True),
    *contact("c-6", 100, wait_ms=1),
]


@pytest.mark.parametrize(
    ("name", "expected", "sample"),
    [
        ("contacts", 3, 3),
        ("wait", {"mean_ms": 60_000.0, "longest_ms": 90_000}, 2),
        ("to_human_rate", 0.5, 2),
        ("reach_rate", 0.5, 2),
        ("channel_mix", {"phone": 0.75, "app": 0.25}, 4),
    ],
)
async def test_how_people_reach_us(name: str, expected: Any, sample: int) -> None:
    trait = await found(name, *CONTACTS)
    assert (trait.value, trait.sample_size) == (expected, sample)


async def test_the_last_touchpoints_are_the_newest_ten_newest_first() -> None:
    points = await value("last_touchpoints", *CONTACTS, *CASES)
    assert len(points) == 10
    assert points[0] == {"type": "service.case_reopened", "channel": None, "at": TODAY - 12 * HOUR}
    assert [point["at"] for point in points] == sorted((point["at"] for point in points), reverse=True)


def survey(name: str, days_ago: int, score: int | None, *, kind: str = "nps", sent: bool = True) -> list[Fact]:
    at = TODAY - days_ago * DAY
    asked = [fact("feedback.survey_sent", at=at, survey_id=name, kind=kind)] if sent else []
    answer: dict[str, Any] = {"survey_id": name, "kind": kind, "score": score}
    said = [] if score is None else [fact("feedback.survey_answered", at=at + HOUR, **answer)]
    return [*asked, *said]


SCORES = [
    *survey("s-1", 30, 9),
    *survey("s-2", 20, None),
    *survey("s-3", 10, 6),
    *survey("s-4", 5, 8, sent=False),
    *survey("s-5", 4, 5, kind="csat"),
    *survey("s-6", 3, None, kind="ces"),
    fact("feedback.review_posted", at=TODAY - DAY, review_id="r-1", score=5),
    fact("feedback.review_posted", at=TODAY - DAY, review_id="r-2", score=2),
    *(
        fact("feedback.suggestion_presented", at=TODAY - DAY, decision=f"d-{number}", service="loan")
        for number in range(3)
    ),
    fact("feedback.suggestion_answered", at=TODAY - HOUR, decision="d-0", service="loan", answer="accepted"),
    fact("feedback.suggestion_answered", at=TODAY - HOUR, decision="d-1", service="loan", answer="declined"),
]


@pytest.mark.parametrize(
    ("name", "expected", "sample"),
    [
        ("nps", {"latest": 8, "mean": 7.67, "response_rate": 0.6667}, 3),
        ("csat", {"latest": 5, "mean": 5.0, "response_rate": 1.0}, 1),
        ("ces", {"latest": None, "mean": None, "response_rate": 0.0}, 0),
        ("review_mean", 3.5, 2),
        ("suggestion_answers", {"presented": 3, "accepted": 1, "declined": 1, "ignored": 0}, 2),
    ],
)
async def test_what_people_think_of_us(name: str, expected: Any, sample: int) -> None:
    trait = await found(name, *SCORES)
    assert (trait.value, trait.sample_size) == (expected, sample)


def delivery(name: str, hours_late: int | None) -> list[Fact]:
    promised = TODAY - 30 * DAY
    promise = {} if hours_late is None else {"promised_at": promised}
    placed = purchased(name, at=promised - 5 * DAY, **promise)
    arrived = fact("service.delivery_step", at=promised + (hours_late or 0) * HOUR, order_id=name, step="delivered")
    return [placed, arrived]


async def test_a_delivery_is_late_when_it_came_after_the_promise() -> None:
    facts = [*delivery("o-1", 1), *delivery("o-2", -1), *delivery("o-3", 0), *delivery("o-4", None)]
    trait = await found("late_deliveries", *facts)
    assert (trait.value, trait.sample_size) == ({"late": 1, "share": 0.3333}, 3)
    assert trait.evidence == (facts[1].event_key.hex(),)


async def test_traits_of_a_person_count_what_all_their_identities_did() -> None:
    facts = [order(10), purchased("o-card", identity="card:7", at=TODAY - DAY, amount=500)]
    assert await value("revenue", *facts, *linked("app:42", "card:7")) == {"EUR": 1500}


async def test_a_window_ends_now_and_leaves_out_what_is_older_and_what_is_yet_to_come() -> None:
    refunds = [
        fact("transaction.refunded", at=TODAY - 365 * DAY + late, order_id="o", refund=money(1 << late))
        for late in (0, 1)
    ]
    coming = fact("transaction.refunded", at=TODAY + 1, order_id="o", refund=money(64))
    trait = await found("refunds", *refunds, coming)
    assert (trait.value, trait.window) == ({"EUR": 2}, (TODAY - 365 * DAY, TODAY))


async def test_a_case_resolved_later_was_open_until_then() -> None:
    assert await value("open_cases", *CASES, at=TODAY - 9 * DAY - 1) == 1
    assert await value("open_cases", *CASES, at=TODAY - 9 * DAY) == 0


async def test_at_the_same_moment_a_solution_closes_a_request_and_a_reopening_wins() -> None:
    then = [case_opened("case-1"), fact("service.case_resolved", case_id="case-1")]
    assert await value("open_cases", *then) == 0
    assert await value("open_cases", *then, fact("service.case_reopened", case_id="case-1")) == 1


async def test_a_solution_known_without_its_request_is_no_open_case() -> None:
    assert await value("open_cases", fact("service.case_resolved", case_id="case-1")) == 0
    assert await value("open_cases", fact("service.case_replied", case_id="case-1")) == 0


async def test_evidence_names_the_newest_events_by_their_keys() -> None:
    orders = [order(days) for days in range(1, 30)]
    assert (await found("orders", *orders)).evidence == tuple(each.event_key.hex() for each in orders[:16])


async def test_a_trait_is_refused_with_the_reason_of_the_door() -> None:
    answers = await traits(*ORDERS)
    refused = {name for name, answer in answers.items() if isinstance(answer, Refused)}
    assert refused == {name for name, trait in TRAITS.items() if trait.purpose != SERVICE}
    assert "rfm" in refused


async def test_without_facts_there_are_no_figures_but_counts_of_nothing() -> None:
    answers = await traits(AGREED)
    values = {name: answer.value for name, answer in answers.items() if isinstance(answer, TraitValue) if answer.value}
    assert values == {}


async def test_the_order_of_facts_changes_no_bit_of_any_trait() -> None:
    facts = [
        AGREED,
        *ORDERS,
        *CASES,
        *CONTACTS,
        *SCORES,
        *(bought(days + 0.1, "grocery", "garden") for days in range(40)),
    ]
    shuffled = facts[1:]
    random.Random(7).shuffle(shuffled)
    assert repr(await traits(*facts)) == repr(await traits(AGREED, *shuffled))


def test_every_trait_names_a_purpose_and_fields_that_exist() -> None:
    for trait in TRAITS.values():
        assert trait.purpose in PURPOSES
        assert {source.partition(".")[0] for source in trait.sources} <= set(ServiceSection.__struct_fields__)


def test_the_page_of_traits_is_in_step_with_the_table() -> None:
    assert PAGE.read_text() == traits_page(), "run: python -m profiles.traits > docs/reference/traits.md"
