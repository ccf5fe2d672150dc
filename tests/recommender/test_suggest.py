"""Suggestions: the stages, the order, the reasons, and that an answer holds until it says it does."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from events.fact import Fact
from recommender.artifact import untrained
from recommender.canonical import canonical_json
from recommender.catalogue import Catalogue, load_catalogue
from recommender.reasons import POPULAR_MIN
from recommender.suggest import suggest
from recommender.suggestion import (
    BUCKET_MS,
    Answer,
    Restraints,
    Score,
    SuggestionInput,
    SuggestionRefused,
    bucket_start,
    render,
)
from tests.builders import DAY, HOUR, NOW, complaint, fact, linked, purchased
from tests.recommender.worlds import CODE, KEY, agreed, answer, catalogue_of, person, services, subscribed

DEFAULT = load_catalogue()
CONSENT = agreed(SUGGEST, PROFILE)
NOBODY = SuggestionInput(ref="ref-1")


def asked(*facts: Fact, catalogue: Catalogue = DEFAULT, **more: Any) -> Answer:
    who = person(*facts, catalogue=catalogue)
    return answer(who, artifact=untrained(catalogue, code=CODE), catalogue=catalogue, **more)


def stage_of(given: Answer, service: str) -> str | None:
    return next((entry.stage for entry in given.withheld if entry.service == service), None)


def at(now: int, *, who: SuggestionInput = NOBODY, k: int = 3, channel: str | None = "desk") -> bytes:
    artifact = untrained(DEFAULT, code=CODE)
    return render(suggest(who, artifact=artifact, catalogue=DEFAULT, channel=channel, k=k, now=now, key=KEY))


def declined(service: str, *, days_ago: int) -> Fact:
    when = NOW - days_ago * DAY
    return fact("feedback.suggestion_answered", at=when, decision="d", service=service, answer="declined")


def ignored(service: str, *, days_ago: int) -> Fact:
    when = NOW - days_ago * DAY
    return fact("feedback.suggestion_answered", at=when, decision="d", service=service, answer="ignored")


def described(**attributes: str | bool) -> Fact:
    return fact("identity.described", at=NOW - DAY, attributes=attributes)


def presented(service: str, *, hours_ago: int) -> Fact:
    return fact("feedback.suggestion_presented", at=NOW - hours_ago * HOUR, decision="d", service=service)


def test_without_consent_the_answer_is_general_and_says_so() -> None:
    given = asked(purchased(at=NOW - DAY))

    assert given.mode == "general"
    assert given.grounds == ()
    assert {reason.code for each in given.suggestions for reason in each.reasons} <= {"popular", "on_offer"}


def test_with_consent_it_is_personal_and_names_the_grants() -> None:
    given = asked(*CONSENT)

    assert given.mode == "personal"
    keys = {key for ground in given.grounds for key in ground.evidence}
    assert keys == {grant.event_key.hex() for grant in CONSENT}


def test_every_suggestion_has_a_reason_and_words_in_both_languages() -> None:
    for given in (asked(), asked(*CONSENT, purchased(at=NOW - DAY))):
        for each in given.suggestions:
            assert each.reasons
            assert all((each.name.en, each.name.zh, each.say and each.say.en))


def test_an_open_complaint_removes_all_upsell_and_adds_nothing() -> None:
    for consent in ([], CONSENT):
        calm, upset = asked(*consent, k=50), asked(*consent, complaint(at=NOW - DAY), k=50)

        assert [each for each in services(calm) if not DEFAULT.by_id[each].upsell] == services(upset)
        assert stage_of(upset, "savings-plan") == "suitable"


def test_a_solved_complaint_asks_for_a_care_call() -> None:
    solved = fact("service.case_resolved", at=NOW - DAY, case_id="case-1")

    given = asked(*CONSENT, complaint(at=NOW - 2 * DAY), solved)

    assert services(given)[0] == "care-call"
    assert given.suggestions[0].confidence == "high"


def test_a_minor_is_sold_nothing() -> None:
    given = asked(fact("identity.described", attributes={"minor": True}), k=50)

    assert not any(DEFAULT.by_id[each].upsell for each in services(given))
    assert stage_of(given, "savings-plan") == "eligible"


@pytest.mark.parametrize("flag", ["restricted", "suppressed"])
def test_a_person_who_objected_is_sold_nothing(flag: str) -> None:
    given = asked(*CONSENT, fact("identity.described", attributes={flag: True}), k=50)

    assert not any(DEFAULT.by_id[each].upsell for each in services(given))


def test_what_was_declined_rests_for_thirty_days_with_and_without_consent() -> None:
    for consent in ([], CONSENT):
        assert stage_of(asked(*consent, declined("recipe-box", days_ago=29)), "recipe-box") == "suitable"
        assert "recipe-box" in services(asked(*consent, declined("recipe-box", days_ago=31), k=50))


def test_what_was_told_rests_for_a_day() -> None:
    assert stage_of(asked(presented("recipe-box", hours_ago=20)), "recipe-box") == "suitable"
    assert "recipe-box" in services(asked(presented("recipe-box", hours_ago=30), k=50))


def test_each_service_rests_as_long_as_the_catalogue_says() -> None:
    catalogue = catalogue_of("a", "b", a={"declined_rest_days": 90, "told_rest_days": 3})
    facts = [declined(each, days_ago=60) for each in ("a", "b")]
    seen = [presented(each, hours_ago=40) for each in ("a", "b")]

    for consent in ([], CONSENT):
        assert services(asked(*consent, *facts, catalogue=catalogue)) == ["b", "else"]
        assert services(asked(*consent, *seen, catalogue=catalogue)) == ["b", "else"]


def test_what_was_ignored_rests_longer_than_what_was_only_told() -> None:
    for consent in ([], CONSENT):
        lately = asked(*consent, ignored("recipe-box", days_ago=6))
        assert stage_of(lately, "recipe-box") == "suitable"
        assert "recipe-box" in services(asked(*consent, ignored("recipe-box", days_ago=8), k=50))


def test_a_message_that_was_ignored_rests_its_service() -> None:
    sent = fact("outreach.sent", at=NOW - 5 * DAY, outreach="0-a", trigger="t", service="recipe-box")
    unheard = fact("outreach.answered", at=NOW - 4 * DAY, outreach="0-a", answer="ignored")

    assert stage_of(asked(sent, unheard), "recipe-box") == "suitable"
    assert "recipe-box" in services(asked(sent, k=50))


def test_nothing_is_sold_to_a_person_in_arrears_with_and_without_consent() -> None:
    for consent in ([], CONSENT):
        calm, owing = asked(*consent, k=50), asked(*consent, described(arrears=True), k=50)

        assert [each for each in services(calm) if not DEFAULT.by_id[each].upsell] == services(owing)
        assert {entry.because for entry in owing.withheld} >= {"nothing to sell while payments are overdue"}
        assert asked(*consent, described(arrears=False), k=50).withheld == calm.withheld


def test_arrears_of_one_identity_stand_whatever_another_says() -> None:
    link = linked("app:42", "card:7", at=NOW - 300 * DAY)
    owing = fact("identity.described", identity="card:7", at=NOW - 2 * DAY, attributes={"arrears": True})

    assert stage_of(asked(*CONSENT, *link, owing, described(arrears=False)), "savings-plan") == "suitable"


def test_a_service_of_a_region_is_for_those_who_are_known_to_live_there() -> None:
    catalogue = catalogue_of("a", "north", "coast", north={"regions": ["north"]}, coast={"regions": ["north", "south"]})

    def offered(*facts: Fact) -> list[str]:
        return services(asked(*facts, catalogue=catalogue))

    assert offered(*CONSENT, described(region="north")) == ["a", "coast", "north", "else"]
    assert offered(*CONSENT, described(region="south")) == ["a", "coast", "else"]
    assert offered(*CONSENT, described(region="west")) == ["a", "else"]
    assert offered(*CONSENT) == ["a", "else"]
    assert offered(*CONSENT, described(region=True)) == ["a", "else"]


def test_without_consent_nobody_is_told_apart_by_where_they_live() -> None:
    catalogue = catalogue_of("a", "north", north={"regions": ["north"]})
    profile = agreed(PROFILE)

    assert asked(*profile, described(region="north"), catalogue=catalogue) == asked(catalogue=catalogue)
    because = {entry.service: entry.because for entry in asked(catalogue=catalogue).withheld}
    assert because == {"north": "not offered in their region"}


def test_what_was_taken_is_not_offered_again_until_it_was_ended() -> None:
    taken = subscribed("savings-plan", at=NOW - 2 * DAY)
    ended = fact("transaction.cancelled", at=NOW - DAY, subscription_id="sub-savings-plan")

    assert stage_of(asked(*CONSENT, taken, k=50), "savings-plan") == "applicable"
    assert "savings-plan" in services(asked(*CONSENT, taken, ended, k=50))


def test_without_consent_nobody_is_told_apart_by_what_they_took() -> None:
    assert "savings-plan" in services(asked(subscribed("savings-plan"), k=50))


def test_services_that_depend_on_the_person_wait_for_consent() -> None:
    catalogue = catalogue_of(
        "a", "b", "c", "d", b={"prerequisites": ["a"]}, c={"contraindications": ["a"]}, d={"requires": [SENSITIVE]}
    )

    assert services(asked(catalogue=catalogue)) == ["a", "else"]
    assert services(asked(*CONSENT, catalogue=catalogue)) == ["a", "c", "else"]
    assert services(asked(*CONSENT, subscribed("a"), catalogue=catalogue)) == ["b", "else"]
    assert "d" in services(asked(*CONSENT, *agreed(SENSITIVE), catalogue=catalogue))


def test_dates_channels_and_ears_decide_who_is_eligible() -> None:
    catalogue = catalogue_of(
        "past",
        "soon",
        "today",
        "shop",
        "quiet",
        past={"ends": "2026-02-28"},
        soon={"starts": "2026-03-02"},
        today={"starts": "2026-03-01", "ends": "2026-03-01"},
        shop={"channels": ["shop"]},
        quiet={"sayable": False},
    )

    assert services(asked(catalogue=catalogue)) == ["quiet", "today", "else"]
    assert services(asked(catalogue=catalogue, channel="app")) == ["today", "else"]
    assert services(asked(catalogue=catalogue, channel="shop")) == ["shop", "today", "else"]


def test_a_mandatory_service_comes_first_whatever_was_declined_and_is_not_told_twice() -> None:
    catalogue = catalogue_of("a", "recall", a={"prior": 99}, recall={"kind": "mandatory"})

    assert services(asked(declined("recall", days_ago=1), catalogue=catalogue)) == ["recall", "a", "else"]
    assert services(asked(presented("recall", hours_ago=1), catalogue=catalogue)) == ["a", "else"]


def test_an_answer_is_never_empty() -> None:
    everything = Restraints(
        open_complaint=True,
        minor=True,
        restricted=True,
        suppressed=True,
        refused=frozenset(DEFAULT.by_id),
        told=frozenset(DEFAULT.by_id),
    )
    who = SuggestionInput(ref="r", restraints=everything)

    given = answer(who, artifact=untrained(DEFAULT, code=CODE), catalogue=DEFAULT)

    assert "anything-else" in services(given)


def test_every_service_is_suggested_or_withheld_with_a_stage_and_a_reason() -> None:
    given = asked(*CONSENT, complaint(at=NOW - DAY), k=3)

    everything = asked(*CONSENT, complaint(at=NOW - DAY), k=50)

    assert sorted([*services(everything), *(entry.service for entry in everything.withheld)]) == sorted(DEFAULT.by_id)
    assert all(entry.because for entry in given.withheld)
    assert given.withheld == everything.withheld
    assert services(given) == services(everything)[:3]
    assert given.beyond == len(everything.suggestions) - 3


def test_the_answer_holds_to_the_byte_until_it_says_and_then_is_another_decision() -> None:
    start = bucket_start(NOW)

    assert at(start) == at(start + BUCKET_MS - 1)
    assert at(start) != at(start + BUCKET_MS)


def test_the_decision_is_named_by_person_channel_number_and_inputs() -> None:
    def decision(who: SuggestionInput, **more: Any) -> str:
        return str(json.loads(at(NOW, who=who, **more))["decision"])

    who = person(*CONSENT)
    others = [
        decision(replace(who, ref="ref-2")),
        decision(who, k=4),
        decision(who, channel="app"),
        decision(person(*CONSENT, purchased(at=NOW - DAY))),
        decision(person(*CONSENT, declined("wine-club", days_ago=1))),
        decision(person(declined("wine-club", days_ago=1))),
    ]

    assert decision(who) == decision(person(*CONSENT))
    assert len({decision(who), *others}) == 7


def test_the_fallback_stands_last_however_little_speaks_for_the_others() -> None:
    assert services(asked(catalogue=catalogue_of("z", z={"prior": 0}))) == ["z", "else"]


def test_the_order_in_which_facts_came_does_not_change_a_byte() -> None:
    facts = [purchased(f"o-{number}", at=NOW - number * DAY) for number in range(5)]

    assert at(NOW, who=person(*CONSENT, *facts)) == at(NOW, who=person(*CONSENT, *reversed(facts)))


@pytest.mark.parametrize("k", [0, -1, 51])
def test_a_number_out_of_range_is_refused(k: int) -> None:
    with pytest.raises(SuggestionRefused, match="between 1 and 50"):
        at(NOW, k=k)


def test_reasons_that_are_not_sayable_stay_with_the_staff() -> None:
    leaving = fact("service.contact_started", at=NOW - HOUR, contact_id="c", topics=["cancel-card"])

    at_the_desk, in_the_app = asked(*CONSENT, leaving), asked(*CONSENT, leaving, channel="app")

    assert at_the_desk.suggestions[0].reasons[0].code == "need:wants-to-leave"
    assert all(reason.sayable for each in in_the_app.suggestions for reason in each.reasons)
    assert services(in_the_app)[0] == "retention-gift"


@pytest.mark.parametrize(("people", "code"), [(POPULAR_MIN - 1, "on_offer"), (POPULAR_MIN, "popular")])
def test_a_service_is_popular_only_once_enough_people_took_it(people: int, code: str) -> None:
    catalogue = catalogue_of("a", "b")
    plain = untrained(catalogue, code=CODE)
    artifact = replace(plain, arrays={**plain.arrays, "popularity": np.array([people, 0, 0])})

    given = answer(NOBODY, artifact=artifact, catalogue=catalogue, k=1)

    assert [(each.service, each.reasons[0].code) for each in given.suggestions] == [("a", code)]


@pytest.mark.parametrize("score", [0.0, 0.000001, 0.000012, 0.5, 1.0, 12.345678])
def test_an_answer_is_canonical_json_whatever_its_scores(score: float) -> None:
    given = asked(purchased(at=NOW - DAY))
    first = msgspec.structs.replace(given.suggestions[0], score=Score(score))

    written = render(msgspec.structs.replace(given, suggestions=(first,)))

    assert written == canonical_json(json.loads(written))
    assert f'"score":{score!r},' in written.decode()


def test_two_lines_of_a_service_in_one_order_are_one_taking() -> None:
    catalogue = catalogue_of("milk", milk={"counts": {"items": ["i-1", "i-2"]}, "repeatable": True})
    order = purchased("o-1", lines=[{"item": "i-1", "category": "dairy"}, {"item": "i-2", "category": "dairy"}])

    [milk] = [each for each in asked(*CONSENT, order, catalogue=catalogue).suggestions if each.service == "milk"]

    assert [reason.text.en for reason in milk.reasons] == ["They have taken it before."]
    assert [len(reason.evidence) for reason in milk.reasons] == [1]
