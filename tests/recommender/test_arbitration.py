"""Arbitration: the score is propensity times context, told with its factors; value and lever weigh when told to."""

import json
from typing import Any

import pytest

from consent.purposes import PROFILE, SUGGEST
from events.fact import Fact
from recommender.arbitration import CONTEXT_MAX
from recommender.artifact import untrained
from recommender.catalogue import Catalogue, load_catalogue
from recommender.suggest import suggest
from recommender.suggestion import Answer, Score, Suggestion, SuggestionInput, render
from tests.builders import DAY, HOUR, NOW, complaint, fact
from tests.recommender.worlds import CODE, KEY, agreed, catalogue_of, person, services

CONSENT = agreed(SUGGEST, PROFILE)
CALLED = {"op": "contacted", "topics": ["loan"], "within_days": 30}
WRITTEN = {"op": "contacted", "topics": ["fees"], "within_days": 30}
WORDS = {"en": "They asked.", "zh": "问过"}


def need(need_id: str, when: dict[str, Any], suggests: dict[str, float], **more: Any) -> dict[str, Any]:
    return {"id": need_id, "when": [when], "suggests": suggests, "reason": WORDS} | more


PLAIN = catalogue_of(
    "keep",
    "popular",
    "seldom",
    keep={"issue": "retain", "group": "gifts", "prior": 3},
    popular={"issue": "sell", "prior": 95, "value": 0.5, "lever": 0.25},
    seldom={"group": "help", "prior": 2, "value": 4.0, "lever": 2.0},
)


def with_(**more: Any) -> Catalogue:
    return Catalogue.model_validate(PLAIN.model_dump(mode="json") | more)


CATALOGUE = with_(
    needs=[
        need("calls", CALLED, {"seldom": 20}, behind=["leaving"]),
        need("writes", WRITTEN, {"seldom": 3, "keep": 900}),
    ],
    contexts=[
        {"id": "leaving", "words": ["cancel"], "issues": {"retain": 40}},
        {"id": "gift", "groups": {"gifts": 2}},
    ],
)


def asked(*facts: Fact, of: Catalogue = CATALOGUE, intent: str | None = None) -> Answer:
    who = person(*facts, catalogue=of)
    return answered(who, of=of, intent=intent)


def answered(who: SuggestionInput, *, of: Catalogue, intent: str | None = None) -> Answer:
    artifact = untrained(of, code=CODE)
    return suggest(who, artifact=artifact, catalogue=of, channel="desk", k=10, now=NOW, key=KEY, intent=intent)


def found(given: Answer, service: str) -> Suggestion:
    return next(each for each in given.suggestions if each.service == service)


def contact(topic: str, *, ago: int = HOUR, event_type: str = "service.contact_started", number: int = 1) -> Fact:
    return fact(event_type, at=NOW - ago, contact_id=f"c-{number}", topics=[topic])


ASKED = contact("loan", ago=5 * DAY, event_type="service.contact_ended")


def test_every_score_is_the_product_of_the_factors_that_are_told() -> None:
    weighed = with_(arbitration={"value_weight": 1, "lever_weight": 0.5})
    for given in (asked(), asked(*CONSENT, ASKED, intent="cancel"), asked(*CONSENT, ASKED, of=weighed)):
        for each in given.suggestions:
            factors = each.factors
            product = factors.propensity * factors.context * (factors.value or 1) * (factors.lever or 1)
            assert each.score == pytest.approx(product, abs=1e-6)


def test_value_and_lever_weigh_nothing_and_are_not_told_until_they_have_a_weight() -> None:
    off, on = asked(), asked(of=with_(arbitration={"value_weight": 1, "lever_weight": 1}))

    assert [(each.factors.value, each.factors.lever) for each in off.suggestions] == [(None, None)] * 4
    assert (found(on, "seldom").factors.value, found(on, "seldom").factors.lever) == (4.0, 2.0)
    assert found(on, "seldom").score == pytest.approx(8 * found(off, "seldom").score, abs=1e-5)
    assert found(on, "popular").score == pytest.approx(found(off, "popular").score / 8, abs=1e-5)


def test_half_a_weight_is_a_square_root() -> None:
    half = asked(of=with_(arbitration={"value_weight": 0.5}))

    assert (found(half, "seldom").factors.value, found(half, "seldom").factors.lever) == (2.0, None)


def test_the_intent_a_channel_gives_raises_its_issue_with_and_without_consent() -> None:
    for consent in ((), CONSENT):
        calm, leaving = asked(*consent), asked(*consent, intent="cancel")

        assert (services(calm)[0], services(leaving)[0]) == ("popular", "keep")
        assert found(leaving, "keep").factors.context == Score(40)
        assert (leaving.intent, leaving.contexts) == ("cancel", ("leaving",))


def test_an_intent_the_catalogue_does_not_know_is_kept_and_raises_nothing() -> None:
    plain, odd = asked(), asked(intent="weather")

    assert odd.suggestions == plain.suggestions
    assert (odd.intent, odd.contexts) == ("weather", ())
    assert odd.decision != plain.decision


def test_the_topic_of_the_contact_that_is_open_counts_as_an_intent_does() -> None:
    ended = contact("cancel", event_type="service.contact_ended", ago=HOUR // 2)

    assert asked(*CONSENT, contact("cancel")).contexts == ("leaving",)
    assert asked(*CONSENT, contact("cancel"), ended).contexts == ()
    assert asked(*CONSENT, contact("cancel", ago=2 * DAY)).contexts == ()
    assert asked(*CONSENT, contact("cancel", ago=2 * HOUR), contact("gift", number=2)).contexts == ("gift",)


def test_without_consent_no_topic_of_a_contact_counts() -> None:
    assert asked(contact("cancel")).suggestions == asked().suggestions
    assert asked(contact("cancel")).contexts == ()


def test_two_reasons_of_a_contact_multiply() -> None:
    given = asked(*CONSENT, contact("gift"), intent="cancel")

    assert given.contexts == ("leaving", "gift")
    assert found(given, "keep").factors.context == Score(80)


def test_a_need_lifts_a_service_to_the_average_before_it_raises_it() -> None:
    given = asked(*CONSENT, ASKED)
    typical = sum(each.factors.propensity for each in given.suggestions) / len(given.suggestions)

    assert services(given)[0] == "seldom"
    assert found(given, "seldom").factors.propensity < typical
    assert found(given, "seldom").score == pytest.approx(20 * typical, rel=1e-4)


def test_a_service_above_the_average_is_raised_from_where_it_is() -> None:
    loved = with_(needs=[need("calls", CALLED, {"popular": 20})])

    assert found(asked(*CONSENT, ASKED, of=loved), "popular").factors.context == Score(20)


def test_needs_multiply_up_to_a_bound() -> None:
    both = asked(*CONSENT, ASKED, contact("fees", ago=5 * DAY, event_type="service.contact_ended", number=2))
    typical = sum(each.factors.propensity for each in both.suggestions) / len(both.suggestions)
    bounded = asked(
        *CONSENT, contact("fees", ago=5 * DAY, event_type="service.contact_ended"), contact("gift", number=3)
    )

    assert found(both, "seldom").score == pytest.approx(60 * typical, rel=1e-4)
    assert found(bounded, "keep").score == pytest.approx(CONTEXT_MAX * typical, rel=1e-4)


def test_a_need_behind_a_wish_takes_the_raise_of_the_wish() -> None:
    leaving, hidden = asked(*CONSENT, intent="cancel"), asked(*CONSENT, ASKED, intent="cancel")

    assert services(leaving)[0] == "keep"
    assert services(hidden)[0] == "seldom"
    assert found(hidden, "keep").factors.context == Score(1)
    assert found(hidden, "seldom").score > 20 * found(asked(*CONSENT, ASKED), "seldom").score
    assert [each.code for each in hidden.needs] == ["need:calls"]


def test_what_may_only_remove_changes_no_factor_of_what_is_left() -> None:
    free, held = asked(*CONSENT, ASKED, intent="cancel"), asked(*CONSENT, ASKED, complaint(), intent="cancel")

    kept = [each for each in free.suggestions if each.service in services(held)]
    assert [each.factors for each in kept] == [each.factors for each in held.suggestions]


def test_open_needs_are_told_to_staff_and_to_the_person_only_where_they_may_be_said() -> None:
    said = with_(needs=[need("calls", CALLED, {"seldom": 20}, sayable=False)])
    who = person(*CONSENT, ASKED, catalogue=said)
    artifact = untrained(said, code=CODE)

    def told(channel: str) -> list[str]:
        how: dict[str, Any] = {"artifact": artifact, "catalogue": said, "k": 3, "now": NOW, "key": KEY}
        return [each.code for each in suggest(who, channel=channel, **how).needs]

    assert (told("desk"), told("app")) == (["need:calls"], [])


def test_the_default_catalogue_names_the_hidden_need_before_the_gift_for_staying() -> None:
    calls = [contact("repayment", ago=days * DAY, number=days) for days in (3, 9, 20)]
    leaving = contact("cancel-card", event_type="service.contact_ended", number=99)
    for intent in (None, "cancel"):
        given = asked(*CONSENT, *calls, leaving, of=load_catalogue(), intent=intent)

        assert given.needs[0].text.en == "Contacted us about repayment 3 times."
        assert services(given)[0] == "auto-repayment"
        assert found(given, "auto-repayment").score > 3 * found(given, "retention-gift").score


def test_an_answer_with_factors_is_canonical_json() -> None:
    written = render(asked(*CONSENT, ASKED, intent="cancel"))

    said = json.loads(written)
    assert list(said) == sorted(said)
    assert list(said["suggestions"][0]["factors"]) == ["context", "lever", "propensity", "value"]
