"""The person view: merged at read, gated by purpose, and as if never linked once a link has ended."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.door import RefusalReason
from consent.holds import Hold
from consent.memory_holds import MemoryHolds
from consent.purposes import FEEDBACK, PROFILE, PURPOSES, SENSITIVE, SHARE, SUGGEST, TRAIN
from events.fact import Fact, encode_fact
from profiles.view import PersonView
from tests.builders import (
    NOW,
    case_opened,
    complaint,
    consent,
    fact,
    linked,
    money,
    pseudonym,
    purchased,
    unlinked,
)
from tests.profiles.world import LATER, seen

APP, CARD, PHONE = (pseudonym(name) for name in ("app:42", "card:7", "phone:+4930123456"))


def answers(view: PersonView, at: int = LATER) -> dict[str, Any]:
    return {purpose: view.permits(purpose, at=at, known_at=at) for purpose in PURPOSES}


async def test_a_stranger_is_an_empty_person_whom_nobody_asked() -> None:
    view = await seen(APP)
    assert (view.members, view.canonical, view.service.orders) == ((APP,), APP, {})
    refused = view.permits(PROFILE, at=LATER, known_at=LATER)
    assert not refused
    assert refused.because is RefusalReason.NEVER_ASKED


async def test_linked_identities_are_seen_as_one_from_either_side() -> None:
    facts = [purchased("o-1", identity=APP), purchased("o-2", identity=CARD), *linked(APP, CARD)]
    by_app, by_card = await seen(APP, *facts), await seen(CARD, *facts)
    assert set(by_app.service.orders) == {"o-1", "o-2"}
    assert (by_app.service, by_app.person, by_app.subject) == (by_card.service, by_card.person, by_card.subject)
    assert (by_app.identity, by_card.identity) == (APP, CARD)


async def test_what_a_purpose_guards_is_absent_where_the_door_refuses() -> None:
    given = consent("given", PROFILE, identity=APP)
    described = fact("identity.described", identity=APP, at=NOW + 1, attributes={"hobby": "sailing"})
    allowed = (await seen(APP, given, described)).attributes(PROFILE, at=LATER, known_at=LATER)
    assert allowed.section is not None
    assert allowed.section.attributes["hobby"].stated.value == "sailing"  # type: ignore[union-attr]
    assert allowed.answer

    expiring = consent("given", PROFILE, identity=APP, expires_at=NOW + 2)
    refused = (await seen(APP, expiring, described)).attributes(PROFILE, at=LATER, known_at=LATER)
    assert refused.section is None
    assert not refused.answer


async def test_words_are_read_only_for_feedback() -> None:
    said = fact("feedback.review_posted", identity=APP, at=NOW + 1, review_id="r-1", score=2, text="too slow")
    assert (await seen(APP, said)).words(at=LATER, known_at=LATER).section is None
    words = (await seen(APP, consent("given", FEEDBACK, identity=APP), said)).words(at=LATER, known_at=LATER)
    assert words.section is not None
    assert [each.written.value for each in words.section.words.values() if each.written] == ["too slow"]


async def test_nothing_guarded_shows_in_the_text_of_a_view() -> None:
    given = [consent("given", purpose, identity=APP) for purpose in (SENSITIVE, PROFILE, FEEDBACK)]
    told = {"health": "diabetes", "hobby": "sailing"}
    facts = [
        fact("identity.described", identity=APP, at=NOW + 1, attributes=told),
        complaint(identity=APP, at=NOW + 1, text="far too slow"),
    ]
    shown = repr(await seen(APP, *given, *facts))
    assert not [words for words in ("diabetes", "sailing", "too slow") if words in shown]


async def test_a_no_on_any_part_denies_and_a_silent_part_has_no_veto() -> None:
    yes, no = consent("given", PROFILE, identity=APP), consent("refused", PROFILE, identity=CARD, at=NOW + 1)
    assert (await seen(APP, yes, *linked(APP, CARD))).permits(PROFILE, at=LATER, known_at=LATER)
    assert not (await seen(APP, yes, no, *linked(APP, CARD))).permits(PROFILE, at=LATER, known_at=LATER)


@pytest.mark.parametrize("how", ["half", "probable"])
async def test_a_half_or_probable_link_lends_noes_and_neither_facts_nor_grants(how: str) -> None:
    link = linked(APP, CARD)[:1] if how == "half" else linked(APP, CARD, strength="probable")
    facts = [consent("given", PROFILE, identity=APP), purchased("o-2", identity=CARD), *link]
    other = [consent("given", TRAIN, identity=CARD), consent("refused", PROFILE, identity=CARD, at=NOW + 1)]
    view = await seen(APP, *facts, *other)
    assert view.service.orders == {}
    assert view.person.restricting == (CARD,)
    assert not view.permits(PROFILE, at=LATER, known_at=LATER)
    assert not view.permits(TRAIN, at=LATER, known_at=LATER)
    assert (await seen(APP, *facts)).permits(PROFILE, at=LATER, known_at=LATER)


async def test_a_hold_on_any_part_closes_its_purpose() -> None:
    no = consent("withdrawn", PROFILE, identity=CARD, at=NOW + 5)
    holds = MemoryHolds(partitions=8)
    hold = Hold(identity=CARD, purpose=PROFILE, event_key=no.event_key, fact=encode_fact(no), made_at=NOW + 5)
    await holds.place([hold])
    view = await seen(APP, consent("given", PROFILE, identity=APP), *linked(APP, CARD), holds=holds)
    refused = view.permits(PROFILE, at=LATER, known_at=LATER)
    assert not refused
    assert refused.because is RefusalReason.HELD


async def test_legal_flags_of_any_identity_stand_even_of_one_that_only_restricts() -> None:
    minor = fact("identity.described", identity=CARD, attributes={"minor": True})
    grown = fact("identity.described", identity=APP, at=NOW + 1, attributes={"minor": False})
    for link in (linked(APP, CARD), linked(APP, CARD, strength="probable")):
        view = await seen(APP, minor, grown, *link)
        assert "minor" in view.deny_only.flags
        assert "minor" in view.subject.overlays
    assert "minor" not in (await seen(APP, minor, grown)).subject.overlays


@pytest.mark.parametrize("newer", [APP, CARD])
async def test_of_two_who_state_a_legal_flag_the_newer_word_is_relied_on(newer: str) -> None:
    said = [
        fact("identity.described", identity=each, at=NOW + (each == newer), attributes={"minor": True})
        for each in (APP, CARD)
    ]
    flags = (await seen(APP, *said, *linked(APP, CARD))).deny_only.flags
    assert {name: cell.at for name, cell in flags.items()} == {"minor": NOW + 1}


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        *((said, True) for said in ("yes", "unclear", "1", 1, 2, True)),
        *((said, False) for said in (" No ", "0", "False", " ", 0, False)),
    ],
)
async def test_a_legal_flag_stands_unless_it_clearly_says_no(said: str | int, stands: bool) -> None:  # noqa: FBT001
    view = await seen(APP, fact("identity.described", identity=APP, attributes={"restricted": said}))
    assert ("restricted" in view.subject.overlays) is stands


async def test_the_jurisdiction_is_the_one_all_stated_countries_share() -> None:
    german = fact("identity.described", identity=APP, attributes={"country": "de"})
    french = fact("identity.described", identity=CARD, attributes={"country": "FR"})
    chinese = fact("identity.described", identity=CARD, attributes={"country": "CN"})
    link = linked(APP, CARD)
    found = [(await seen(APP, *facts, *link)).subject.jurisdiction for facts in ([german, french], [german, chinese])]
    assert found == ["EU", None]
    assert (await seen(APP)).subject.jurisdiction is None
    assert (await seen(CARD, chinese)).subject.jurisdiction == "CN"
    elsewhere = fact("identity.described", identity=CARD, attributes={"country": "US"})
    assert (await seen(CARD, elsewhere)).subject.jurisdiction is None


async def test_deny_only_facts_tell_open_complaints_and_what_was_told_and_declined() -> None:
    shown: dict[str, Any] = {"decision": "d-1", "service": "loan"}
    facts = [
        complaint("case-1", identity=APP),
        complaint("case-2", identity=CARD),
        fact("service.case_resolved", identity=CARD, at=NOW + 5, case_id="case-2"),
        case_opened("case-3", identity=APP),
        fact("feedback.suggestion_presented", identity=APP, at=NOW + 1, **shown),
        fact("feedback.suggestion_answered", identity=CARD, at=NOW + 2, answer="declined", **shown),
        fact("outreach.sent", identity=CARD, at=NOW + 3, outreach="m-1", trigger="t", service="card"),
        fact("outreach.answered", identity=CARD, at=NOW + 4, outreach="m-1", answer="declined"),
    ]
    deny = (await seen(APP, *facts, *linked(APP, CARD))).deny_only
    assert set(deny.open_complaints) == {"case-1"}
    assert {service: cell.at - NOW for service, cell in deny.told.items()} == {"loan": 1, "card": 3}
    assert {service: cell.at - NOW for service, cell in deny.declined.items()} == {"loan": 2, "card": 4}


async def test_a_message_tells_nothing_to_remove_that_offers_nothing_was_never_sent_or_is_liked() -> None:
    facts = [
        fact("outreach.sent", identity=APP, outreach="m-1", trigger="t"),
        fact("outreach.answered", identity=APP, at=NOW + 1, outreach="m-1", answer="declined"),
        fact("outreach.answered", identity=APP, at=NOW + 1, outreach="m-2", answer="declined"),
        fact("outreach.sent", identity=APP, outreach="m-3", trigger="t", service="card"),
        fact("outreach.answered", identity=APP, at=NOW + 1, outreach="m-3", answer="accepted"),
    ]
    deny = (await seen(APP, *facts)).deny_only
    assert (set(deny.told), set(deny.declined)) == ({"card"}, set())


async def test_relations_name_the_other_and_lend_neither_facts_nor_consent() -> None:
    machine = pseudonym("machine:press-9")
    owns = fact("identity.related", identity=APP, other=machine, kind="owns")
    alert = fact("service.alert_raised", identity=machine, alert_id="a-1", kind="hot")
    view = await seen(APP, owns, alert, consent("refused", PROFILE, identity=machine))
    assert [(each.kind, each.other, each.inverse) for each in view.relations] == [("owns", machine, False)]
    assert (view.service.alerts, view.members, view.person.restricting) == ({}, (APP,), ())
    ended = fact("identity.related", identity=APP, at=NOW + 1, other=machine, kind="owns", ended=True)
    assert (await seen(APP, owns, ended)).relations == ()


NAMES = [APP, CARD, PHONE, pseudonym("app:43"), pseudonym("email:x@example.org"), pseudonym("crm:6")]
CHANCES = st.integers(0, 10_000)


def some_fact(step: int, identity: str, choice: int) -> Fact:
    """One of the kinds of facts that a merge could spoil."""
    at = NOW + step
    number, purpose = choice % 3, sorted(PURPOSES)[choice % len(PURPOSES)]
    shown: dict[str, Any] = {"decision": f"d-{number}", "service": "loan"}
    message: dict[str, Any] = {"outreach": f"m-{number}"}
    kinds = [
        purchased(f"o-{number}", identity=identity, at=at, amount=choice),
        case_opened(f"case-{number}", identity=identity, at=at),
        complaint(f"case-{number}", identity=identity, at=at, text="late again"),
        fact("service.case_resolved", identity=identity, at=at, case_id=f"case-{number}"),
        fact("feedback.suggestion_presented", identity=identity, at=at, **shown),
        fact("feedback.suggestion_answered", identity=identity, at=at, answer="declined", **shown),
        fact("outreach.sent", identity=identity, at=at, trigger="t", **message),
        fact("transaction.refunded", identity=identity, at=at, order_id=f"o-{number}", refund=money(1)),
        fact("identity.described", identity=identity, at=at, attributes={"hobby": choice, "minor": choice % 2 == 0}),
        fact("identity.described", identity=identity, at=at, attributes={"health": choice, "country": "DE"}),
        consent("given", purpose, identity=identity, at=at),
        consent("refused", purpose, identity=identity, at=at),
        consent("given", SUGGEST, identity=identity, at=at),
        consent("given", PROFILE, identity=identity, at=at),
    ]
    return kinds[choice % len(kinds)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Fact], list[Fact]]:
    """Facts on all sides with links coming and going, and the same facts in the same order without the links."""
    with_links: list[Fact] = []
    without: list[Fact] = []
    for step in range(draw(st.integers(1, 30))):
        if draw(st.integers(0, 2)):
            one = some_fact(step, draw(st.sampled_from(NAMES)), draw(CHANCES))
            with_links.append(one)
            without.append(one)
            continue
        first, second = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True))
        strength = draw(st.sampled_from(["verified", "verified", "probable"]))
        halves = linked(first, second, at=NOW + step, strength=strength)
        with_links += draw(st.sampled_from([halves, halves, halves[:1], halves[1:]]))
    pairs = itertools.combinations(NAMES, 2)
    ends = [half for first, second in pairs for half in unlinked(first, second, at=NOW + 1000)]
    at = draw(st.integers(0, len(with_links)))
    late = [each for each in with_links[at:] if each in without]
    return [*with_links[:at], *ends, *late], without


@given(histories())
async def test_after_unlinking_everyone_is_as_if_never_linked(worlds: tuple[list[Fact], list[Fact]]) -> None:
    merged, apart = worlds
    for name in NAMES:
        was, never = await seen(name, *merged), await seen(name, *apart)
        assert was == never
        assert answers(was) == answers(never)


@given(histories(), st.sampled_from(list(itertools.combinations(NAMES, 2))))
async def test_a_merge_alone_opens_nothing_that_neither_side_had_open(
    worlds: tuple[list[Fact], list[Fact]], pair: tuple[str, str]
) -> None:
    _, facts = worlds
    alone = [answers(await seen(name, *facts)) for name in pair]
    merged = answers(await seen(pair[0], *facts, *linked(*pair)))
    for purpose in PURPOSES:
        if merged[purpose] and not PURPOSES[purpose].needs:
            assert any(each[purpose] for each in alone)


@pytest.mark.parametrize("country", ["DE", "CN"])
async def test_a_link_that_tells_which_law_is_a_person_s_opens_nothing(country: str) -> None:
    said = consent("given", SHARE, identity=APP)
    lives = fact("identity.described", identity=CARD, attributes={"country": country})
    for view in (await seen(APP, said), await seen(APP, said, lives, *linked(APP, CARD))):
        assert not answers(view)[SHARE]


@given(st.lists(st.tuples(st.sampled_from([APP, CARD]), CHANCES), max_size=25))
async def test_a_merged_section_is_what_one_identity_with_all_the_facts_would_hold(
    choices: list[tuple[str, int]],
) -> None:
    facts = [some_fact(step, identity, choice) for step, (identity, choice) in enumerate(choices)]
    merged = await seen(APP, *facts, *linked(APP, CARD))
    together = await seen(APP, *(some_fact(step, APP, choice) for step, (_, choice) in enumerate(choices)))
    assert without_keys(merged.service) == without_keys(together.service)


def without_keys(section: Any) -> Any:
    """Times and values only: the same fact about another identity has another event key here."""
    return {
        kind: {
            record_id: [[(c.at, c.value) for c in v] if isinstance(v, tuple) else v and (v.at, v.value) for v in values]
            for record_id, record in getattr(section, kind).items()
            for values in [[getattr(record, name) for name in record.__struct_fields__]]
        }
        for kind in section.__struct_fields__[1:]
    }
