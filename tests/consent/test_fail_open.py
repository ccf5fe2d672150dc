"""The ways in which consent fails open elsewhere (read in the source of others, 2026), each closed here.

Whose way it was stands above each test; where a case is about something we do not have, the test says what we do.
"""

import inspect
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from commands.settings import Settings
from consent.door import Allowed, Part, RefusalReason, permits, subject_of
from consent.matrix import JURISDICTIONS, Matrix
from consent.purposes import (
    ALWAYS_OPEN,
    ANALYTICS,
    CHARACTERISTICS,
    EVENT_PURPOSES,
    FEEDBACK,
    PROFILE,
    PURPOSES,
    SUGGEST,
    TRAIN,
    attribute_purpose,
)
from consent.rules import shipped_rules
from events.fact import Fact
from events.position import Position
from events.vocabulary import BODIES
from profiles.codec import FacetUnreadable
from profiles.facet import Facet
from profiles.fold import fold
from profiles.permitted import permitted_facts
from profiles.person import PersonReader, PersonUnreadable
from profiles.view import Loaded, PersonView
from recommender.reading import input_of
from tests.api.world import World
from tests.builders import DAY, NOW, consent, fact, linked, pseudonym, purchased
from tests.profiles.world import LATER, seen
from tests.recommender.worlds import DEFAULT

APP, CARD = "app:42", "card:7"
BY_CONSENT: Final = PURPOSES.keys() - ALWAYS_OPEN - {CHARACTERISTICS}
EVERY_LAW: Final = (*JURISDICTIONS, None, "US")


def reason(view: PersonView, purpose: str = PROFILE, *, at: int = LATER) -> RefusalReason | None:
    answer = view.permits(purpose, at=at, known_at=LATER)
    return None if isinstance(answer, Allowed) else answer.because


async def anna(*facts: Fact | Iterable[Fact], identity: str = APP) -> PersonView:
    flat = [one for each in facts for one in ([each] if isinstance(each, Fact) else each)]
    return await seen(pseudonym(identity), *flat)


def log_of(*facts: Fact) -> Iterator[tuple[Position, Fact]]:
    return iter([(Position(1, 0, offset), each) for offset, each in enumerate(facts)])


def permitted(*facts: Fact, purpose: str = TRAIN) -> list[Fact]:
    return [
        each.fact for each in permitted_facts(lambda: log_of(*facts), purpose=purpose, at=LATER, rules=shipped_rules())
    ]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.log.start()
    yield world
    await world.log.stop()


# fides, policy engine: a constraint on a consent that is absent counts as met.
@pytest.mark.parametrize("jurisdiction", EVERY_LAW)
def test_1_an_absent_consent_is_a_refusal_everywhere(jurisdiction: str | None) -> None:
    who = subject_of(parts=(Part(APP, {}),), jurisdiction=jurisdiction, read_at=NOW, rules=shipped_rules())
    asked_first = BY_CONSENT - ({ANALYTICS} if jurisdiction == "EU" else set())
    answers = {purpose: permits(who, purpose, at=NOW, known_at=NOW) for purpose in asked_first}
    assert {answer.because for answer in answers.values()} == {RefusalReason.NEVER_ASKED}


# fides, policy engine: an identity nobody resolved and data nobody labelled are gaps, and gaps pass.
async def test_2_an_unknown_person_is_refused_and_no_event_or_attribute_is_without_a_purpose() -> None:
    stranger = await anna(consent("given", PROFILE), identity="app:someone-else")
    assert reason(stranger) is RefusalReason.NEVER_ASKED
    assert EVENT_PURPOSES.keys() == BODIES.keys()
    described = fact("identity.described", attributes={"nobody_listed_this": "x"})
    assert attribute_purpose("nobody_listed_this") == PROFILE
    assert fold(Facet(), described).facet.build is None


# fides, identity enrichment: where it fails, it logs and goes on without the identity.
async def test_3_a_person_who_cannot_be_read_whole_is_not_read_at_all() -> None:
    class Damaged:
        async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
            raise FacetUnreadable(f"{len(identities)} damaged")

    with pytest.raises(PersonUnreadable):
        await PersonReader(Damaged(), rules=shipped_rules()).read(pseudonym(APP), now=NOW)


# Unomi: a withdrawn consent is taken off the profile, and looks like one that was never asked for.
async def test_4_withdrawn_is_not_never_asked() -> None:
    withdrawn = await anna(consent("given", PROFILE, at=NOW - DAY), consent("withdrawn", PROFILE))
    assert reason(withdrawn) is RefusalReason.WITHDRAWN
    assert withdrawn.status(PROFILE, at=LATER, known_at=LATER) == "withdrawn"
    assert reason(await anna()) is RefusalReason.NEVER_ASKED


# Unomi, merge: an unlimited consent breaks the comparison of dates, and an expired one wins over a newer one.
async def test_5_a_merge_bears_a_yes_without_an_end_and_lets_an_expired_one_go() -> None:
    unlimited = consent("given", PROFILE, identity=APP, at=NOW - DAY)
    expired = consent("given", PROFILE, identity=CARD, at=NOW - 2 * DAY, expires_at=NOW - DAY)
    assert reason(await anna(linked(APP, CARD), unlimited, expired)) is None
    newer_and_over = consent("renewed", PROFILE, identity=CARD, at=NOW, expires_at=NOW + 1)
    merged = await anna(linked(APP, CARD), unlimited, newer_and_over)
    assert reason(merged) is RefusalReason.EXPIRED


# Unomi: nothing is asked before personalisation unless a rule asks.
async def test_6_nothing_personal_reaches_a_suggestion_that_nobody_agreed_to() -> None:
    silent = await anna(purchased(at=NOW - DAY))
    assert input_of(silent, catalogue=DEFAULT, ref="r", now=LATER).personal is None
    agreed = await anna(consent("given", PROFILE), consent("given", SUGGEST), purchased(at=NOW - DAY))
    assert input_of(agreed, catalogue=DEFAULT, ref="r", now=LATER).personal is not None


# Unomi: deleting a profile keeps its events under the same id, to be linked again.
async def test_7_what_was_erased_does_not_come_back_with_its_events() -> None:
    agreed = [consent("given", purpose, at=NOW - DAY) for purpose in (PROFILE, TRAIN)]
    erased = fact("rights.erased", at=NOW, request_id="r-1")
    before = purchased(at=NOW - DAY)
    view = await anna(*agreed, before, erased, *agreed, before)
    assert not view.service.orders
    assert reason(view) is RefusalReason.NEVER_ASKED
    assert permitted(*agreed, before, erased, *agreed, before) == []


# Unomi: the privacy endpoint trusts the id it is given; a proxy that is not part of it would have to check.
async def test_8_nobody_records_or_reads_a_consent_without_a_key(world: World) -> None:
    path = f"/v1/customers/{await world.ref()}/consents"
    for method, body in (("GET", None), ("POST", {"act": "given", "purpose": PROFILE})):
        answer = await world.ask(method, path, key=None, json=body)
        assert answer.status_code == 401, method


# Tracardi: a rule that requires consents passes for a profile that has none at all.
@pytest.mark.parametrize("purpose", sorted(BY_CONSENT - {ANALYTICS}))
async def test_9_who_has_no_consents_at_all_has_none_of_those_required(purpose: str) -> None:
    assert reason(await anna(), purpose) is RefusalReason.NEVER_ASKED


# Tracardi: the check runs under a licence only.
def test_10_there_is_nothing_to_switch_the_door_off_with() -> None:
    assert list(inspect.signature(permits).parameters) == ["subject", "purpose", "at", "known_at"]
    switches = [name for name, field in Settings.model_fields.items() if field.annotation is bool]
    assert not [name for name in switches if any(word in name for word in ("consent", "permit", "gate", "licen"))]


# Tracardi: the end of a consent is forgotten where ids are collected, and a no is not an action there is.
async def test_11_the_end_of_a_yes_and_a_no_both_count() -> None:
    over = consent("given", PROFILE, at=NOW - DAY, expires_at=NOW)
    assert reason(await anna(over)) is RefusalReason.EXPIRED
    assert reason(await anna(consent("refused", PROFILE))) is RefusalReason.REFUSED


# Tracardi: a type of consent may be granted by default.
def test_12_no_purpose_of_consent_is_open_by_default_and_the_matrix_has_no_word_for_it() -> None:
    matrix = Matrix.load()
    grounds = {matrix.ground(each, place, at=NOW, known_at=NOW) for each in PURPOSES for place in EVERY_LAW}
    open_until_no = {ground.basis for ground in grounds if ground is not None and ground.stands_until_a_no}
    assert open_until_no == {"legitimate_interest", "switch"}


# Tracardi, merge: the consents of the profile that comes last win.
@pytest.mark.parametrize("first", [APP, CARD])
async def test_13_a_merge_keeps_every_no_whichever_comes_last(first: str) -> None:
    second = CARD if first == APP else APP
    yes = consent("given", PROFILE, identity=first, at=NOW - DAY)
    no = consent("withdrawn", PROFILE, identity=second, at=NOW)
    for order in ([yes, no], [no, yes]):
        for identity in (APP, CARD):
            assert reason(await anna(*order, linked(APP, CARD), identity=identity)) is RefusalReason.WITHDRAWN


# Tracardi: fields are gated by the paid package alone.
async def test_14_a_field_is_absent_where_its_purpose_is_closed() -> None:
    opening = [consent("given", purpose, at=NOW - DAY) for purpose in (PROFILE, FEEDBACK)]
    told = [
        fact("identity.described", attributes={"hobby": "sailing"}),
        fact("feedback.review_posted", review_id="r", score=1, text="too slow"),
    ]
    open_view = await anna(*opening, *told)
    assert open_view.attributes(PROFILE, at=LATER, known_at=LATER).section is not None
    assert open_view.words(at=LATER, known_at=LATER).section is not None
    closed = await anna(*told)
    assert closed.attributes(PROFILE, at=LATER, known_at=LATER).section is None
    assert closed.words(at=LATER, known_at=LATER).section is None
    assert "sailing" not in repr(closed)


# Segment: an event without a consent object flows to every destination.
def test_15_an_event_without_a_consent_flows_nowhere() -> None:
    for purpose in (TRAIN, ANALYTICS, PROFILE):
        assert permitted(purchased(), fact("identity.described", attributes={"country": "CN"}), purpose=purpose) == []


# Segment: audiences made before enforcement keep whom they have until they are made again.
def test_16_whoever_withdraws_is_gone_from_what_was_collected_before() -> None:
    collected = [*(consent("given", each, at=NOW - DAY) for each in (TRAIN, PROFILE)), purchased(at=NOW - DAY)]
    assert permitted(*collected)
    assert permitted(*collected, consent("withdrawn", TRAIN)) == []


# RudderStack: only a list of denials is read; empty, missing or unreadable means everything.
@pytest.mark.parametrize("purpose", sorted(PURPOSES))
def test_17_what_cannot_be_read_is_refused(purpose: str) -> None:
    everything = {name: fold(Facet(), consent("given", name)).facet.consents[name] for name in PURPOSES}
    for parts, readable in (((), True), ((Part(APP, everything),), False)):
        who = subject_of(parts=parts, readable=readable, read_at=NOW, rules=shipped_rules())
        answer = permits(who, purpose, at=NOW, known_at=NOW)
        assert answer.because is RefusalReason.UNREADABLE


# Klaro: a service may be on before anybody confirmed it.
@pytest.mark.parametrize("act", ["requested", "deferred"])
async def test_18_being_asked_opens_nothing(act: str) -> None:
    for purpose in sorted(BY_CONSENT - {ANALYTICS}):
        assert reason(await anna(fact(f"consent.{act}", purpose=purpose)), purpose) is RefusalReason.NEVER_ASKED
    implied = await anna(consent("given", PROFILE, form="implied"))
    assert reason(implied) is RefusalReason.FORM


# mailchimp-woocommerce 591: a synchronisation turned those who had left into subscribers.
async def test_19_an_old_list_read_in_again_brings_nobody_back() -> None:
    listed = consent("given", PROFILE, at=NOW - DAY, evidence="imported")
    left = consent("withdrawn", PROFILE, at=NOW)
    read_again = consent(
        "given", PROFILE, at=NOW - DAY, received_at=NOW + 60_000, evidence="imported", event_id="second reading"
    )
    for order in ([listed, left, listed, read_again], [read_again, left, listed], [left, read_again, listed]):
        assert reason(await anna(*order)) in {RefusalReason.WITHDRAWN, RefusalReason.CONFLICTING}


# SAP spartacus 6269: the page shows a consent after the server let it go.
async def test_20_what_is_shown_is_what_stands(world: World) -> None:
    await world.happened(consent("given", FEEDBACK, at=NOW - DAY))
    path = f"/v1/customers/{await world.ref()}/consents"
    assert (await world.ask("GET", path)).json()["consents"][FEEDBACK]["allowed"]
    await world.ask("POST", path, json={"act": "withdrawn", "purpose": FEEDBACK})
    shown = await world.ask("GET", path)
    assert shown.json()["consents"][FEEDBACK]["allowed"] is False
    assert "no-store" in shown.headers["cache-control"]
