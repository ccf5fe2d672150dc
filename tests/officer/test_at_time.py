"""A past day asked about: by what was known then, in hindsight, and never otherwise than the door answered."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consent.door import Allowed, Refused
from consent.evidence import Evidence, evidence_of
from consent.evidence_index import EvidenceIndex
from consent.purposes import ANALYTICS, PROFILE, PURPOSES, SUGGEST
from consent.rules import shipped_rules
from events.fact import Fact
from profiles.at_time import EvidenceOf, members_at, person_at
from profiles.facet import Facet
from profiles.fold import fold
from profiles.links import MEMBERS_MAX, READ_MAX
from profiles.person import PersonTooLarge
from profiles.rights import refolding
from profiles.view import PersonView
from tests.builders import DAY, HOUR, MINUTE, NOW, consent, examples, fact, linked, pseudonym, purchased, unlinked
from tests.officer.evidence_world import evidence_in, index_of, placed
from tests.profiles.world import seen

APP, CARD, PHONE = "app:42", "card:7", "phone:+4930123456"
PEOPLE = (APP, CARD, PHONE)


def was(index: EvidenceIndex, *, at: int, known_at: int | None = None, identity: str = APP) -> PersonView:
    return person_at(
        pseudonym(identity),
        partial(evidence_in, index),
        at=at,
        known_at=at if known_at is None else known_at,
        rules=shipped_rules(),
    )


def told(view: PersonView, purpose: str, *, at: int, known_at: int | None = None) -> str:
    answer = view.permits(purpose, at=at, known_at=at if known_at is None else known_at)
    return answer.because.value if isinstance(answer, Refused) else "allowed"


def asked(index: EvidenceIndex, purpose: str, *, at: int, known_at: int | None = None, identity: str = APP) -> str:
    return told(was(index, at=at, known_at=known_at, identity=identity), purpose, at=at, known_at=known_at)


def test_each_day_is_answered_as_it_was(tmp_path: Path) -> None:
    #   never asked      given 0      withdrawn 2      given 4      expired 6
    index = index_of(
        tmp_path,
        consent("given", PROFILE, at=NOW),
        consent("withdrawn", PROFILE, at=NOW + 2 * DAY),
        consent("renewed", PROFILE, at=NOW + 4 * DAY, expires_at=NOW + 6 * DAY),
    )

    answers = [asked(index, PROFILE, at=NOW + day * DAY) for day in (-1, 0, 1, 2, 3, 4, 5, 6)]
    assert answers == ["never_asked", "allowed", "allowed", "withdrawn", "withdrawn", "allowed", "allowed", "expired"]


def test_a_no_that_was_heard_of_late_counts_in_hindsight_only(tmp_path: Path) -> None:
    #   given 0      withdrawn 1 (heard of on day 3)
    late = consent("withdrawn", PROFILE, at=NOW + DAY, received_at=NOW + 3 * DAY)
    index = index_of(tmp_path, consent("given", PROFILE, at=NOW), late)

    assert asked(index, PROFILE, at=NOW + 2 * DAY) == "allowed"
    assert asked(index, PROFILE, at=NOW + 2 * DAY, known_at=NOW + 9 * DAY) == "withdrawn"
    assert asked(index, PROFILE, at=NOW + HOUR, known_at=NOW + 9 * DAY) == "allowed"


def test_a_yes_that_was_heard_of_late_allows_in_hindsight_only(tmp_path: Path) -> None:
    late = consent("given", PROFILE, at=NOW, received_at=NOW + 3 * DAY)
    index = index_of(tmp_path, late)

    assert asked(index, PROFILE, at=NOW + DAY) == "never_asked"
    assert asked(index, PROFILE, at=NOW + DAY, known_at=NOW + 3 * DAY) == "allowed"


def test_a_no_of_a_later_day_says_nothing_about_an_earlier_one(tmp_path: Path) -> None:
    index = index_of(tmp_path, consent("given", PROFILE, at=NOW), consent("withdrawn", PROFILE, at=NOW + 5 * DAY))

    assert asked(index, PROFILE, at=NOW + DAY, known_at=NOW + 9 * DAY) == "allowed"


def test_the_links_are_those_of_the_day(tmp_path: Path) -> None:
    index = index_of(
        tmp_path,
        consent("given", PROFILE, at=NOW),
        consent("refused", PROFILE, identity=CARD, at=NOW),
        *linked(APP, CARD, at=NOW + DAY),
        *unlinked(APP, CARD, at=NOW + 3 * DAY),
    )

    members = [was(index, at=NOW + day * DAY).members for day in (0, 2, 4)]
    assert list(map(len, members)) == [1, 2, 1]
    assert [asked(index, PROFILE, at=NOW + day * DAY) for day in (0, 2, 4)] == ["allowed", "conflicting", "allowed"]
    app, card = pseudonym(APP), pseudonym(CARD)
    together = [members_at(app, partial(evidence_in, index), at=NOW + day * DAY) for day in (0, 2, 4)]
    assert together == [(app,), tuple(sorted((app, card))), (app,)]


def test_a_link_that_was_heard_of_late_is_known_in_hindsight_only(tmp_path: Path) -> None:
    index = index_of(
        tmp_path,
        consent("given", PROFILE, identity=CARD, at=NOW),
        *linked(APP, CARD, at=NOW, received_at=NOW + 4 * DAY),
    )

    assert asked(index, PROFILE, at=NOW + DAY) == "never_asked"
    assert asked(index, PROFILE, at=NOW + DAY, known_at=NOW + 4 * DAY) == "allowed"


def test_a_restriction_and_the_law_are_those_of_the_day(tmp_path: Path) -> None:
    index = index_of(
        tmp_path,
        fact("identity.described", at=NOW, attributes={"country": "DE"}),
        consent("given", PROFILE, at=NOW),
        fact("identity.described", at=NOW + 2 * DAY, attributes={"restricted": True}),
        fact("identity.described", at=NOW + 4 * DAY, attributes={"restricted": False, "country": "CN"}),
    )

    assert [asked(index, PROFILE, at=NOW + day * DAY) for day in (1, 3, 5)] == ["allowed", "restricted", "allowed"]
    assert [asked(index, ANALYTICS, at=NOW + day * DAY) for day in (1, 5)] == ["allowed", "never_asked"]


def test_the_answer_names_the_acts_it_relied_on(tmp_path: Path) -> None:
    profile, suggest = consent("given", PROFILE, at=NOW), consent("given", SUGGEST, at=NOW + HOUR)
    index = index_of(tmp_path, profile, suggest)

    answer = was(index, at=NOW + DAY).permits(SUGGEST, at=NOW + DAY, known_at=NOW + DAY)

    assert isinstance(answer, Allowed)
    assert set(answer.because.relied_on) == {profile.event_key, suggest.event_key}


def test_nobody_knows_a_stranger(tmp_path: Path) -> None:
    index = index_of(tmp_path, consent("given", PROFILE))

    assert asked(index, PROFILE, at=NOW + DAY, identity="app:stranger") == "never_asked"


@pytest.mark.parametrize(
    ("many", "why"), [(READ_MAX + 2, "hung together"), (MEMBERS_MAX + 2, "were linked to one person")]
)
def test_too_many_identities_are_no_person_on_any_day(many: int, why: str) -> None:
    halves = [half for n in range(many) for half in linked(f"app:{n}", f"app:{n + 1}")]

    with pytest.raises(PersonTooLarge, match=why):
        person_at(pseudonym("app:0"), kept(halves), at=NOW + DAY, known_at=NOW + DAY, rules=shipped_rules())


def test_what_hangs_together_by_way_of_others_counts_as_well() -> None:
    near = [half for n in range(1, READ_MAX - 28) for half in linked("app:0", f"app:{n}")]
    far = [half for n in range(200, 240) for half in linked("app:1", f"app:{n}")]

    with pytest.raises(PersonTooLarge, match="hung together"):
        person_at(pseudonym("app:0"), kept([*near, *far]), at=NOW + DAY, known_at=NOW + DAY, rules=shipped_rules())


@pytest.mark.parametrize(
    ("size", "strength", "members"), [(MEMBERS_MAX, "verified", MEMBERS_MAX), (READ_MAX, "probable", 1)]
)
def test_as_many_identities_as_are_allowed_are_a_person(size: int, strength: str, members: int) -> None:
    halves = [half for n in range(1, size) for half in linked("app:0", f"app:{n}", strength=strength)]

    view = person_at(pseudonym("app:0"), kept(halves), at=NOW + DAY, known_at=NOW + DAY, rules=shipped_rules())

    assert len(view.members) == members


async def test_a_fact_that_was_found_to_be_wrong_counts_until_it_was_known_and_on_no_day_in_hindsight() -> None:
    #   given 0 (wrongly)      folded anew without it 3
    wrong, right = consent("given", PROFILE, at=NOW), consent("given", ANALYTICS, at=NOW)
    facet = fold(Facet(), right).facet
    anew = refolding(
        request_id="r-1",
        without=[wrong.event_key],
        facet=replace(facet, recent=wrong.event_key + wrong.digest + facet.recent),
    )
    refolded = replace(right, type=anew.event_type, event_key=b"refolded", body=anew)
    refolded = replace(refolded, occurred_at=NOW + 3 * DAY, received_at=NOW + 3 * DAY)
    history = [wrong, right, refolded]

    def then(at: int, known_at: int) -> PersonView:
        return person_at(pseudonym(APP), kept(history), at=at, known_at=known_at, rules=shipped_rules())

    assert told(then(NOW + DAY, NOW + DAY), PROFILE, at=NOW + DAY) == "allowed"
    for known_at in (NOW + 3 * DAY, NOW + 4 * DAY):
        assert told(then(NOW + DAY, known_at), PROFILE, at=NOW + DAY, known_at=known_at) == "never_asked"
    after = NOW + 4 * DAY
    view = await seen(pseudonym(APP), *history, at=after)
    assert everything_told(then(after, after), after) == everything_told(view, after)
    assert told(view, ANALYTICS, at=after) == "allowed"


MOMENTS = st.integers(-3, 3).map(lambda minutes: NOW + minutes * MINUTE)


ACTS: st.SearchStrategy[Any] = st.sampled_from(["given", "renewed", "refused", "withdrawn"])


@st.composite
def histories(draw: st.DrawFn) -> Sequence[Fact]:
    """Acts, links and descriptions about three identities, with skewed clocks, repeats and other arrivals."""
    found: list[Fact] = []
    for number in range(draw(st.integers(0, 9))):
        when: dict[str, Any] = {"at": draw(MOMENTS), "received_at": draw(MOMENTS), "event_id": f"event-{number}"}
        who = draw(st.sampled_from(PEOPLE))
        kind = draw(st.sampled_from(["act", "act", "act", "linked", "unlinked", "described"]))
        if kind == "act":
            said = draw(ACTS)
            purpose = draw(st.sampled_from([PROFILE, SUGGEST, ANALYTICS]))
            end = {"expires_at": draw(MOMENTS)} if said in {"given", "renewed"} and draw(st.booleans()) else {}
            found.append(consent(said, purpose, identity=who, **when, **end))
        elif kind == "described":
            name, value = draw(st.sampled_from([("restricted", True), ("minor", True), ("country", "DE")]))
            found.append(fact("identity.described", identity=who, attributes={name: value, "plan": "gold"}, **when))
        else:
            other = draw(st.sampled_from([each for each in PEOPLE if each != who]))
            strength = draw(st.sampled_from(["verified", "verified", "probable"]))
            halves = linked(who, other, strength=strength, **when) if kind == "linked" else unlinked(who, other, **when)
            found.extend(halves[: draw(st.sampled_from([1, 2, 2]))])
    repeats = draw(st.lists(st.sampled_from(found), max_size=3)) if found else []
    return draw(st.permutations([*found, *repeats, purchased()]))


def everything_told(view: PersonView, at: int, known_at: int | None = None) -> list[Allowed | Refused]:
    known_at = at if known_at is None else known_at
    return [view.permits(purpose, at=at, known_at=known_at) for purpose in PURPOSES]


def kept(history: Sequence[Fact]) -> EvidenceOf:
    """The evidence of a history, in this process's memory."""
    found: dict[str, list[Evidence]] = {}
    for position, each in placed(history):
        if (piece := evidence_of(each)) is not None:
            found.setdefault(piece.identity, []).append(Evidence(position, piece))
    return lambda identities: {identity: found.get(identity, []) for identity in identities}


@given(history=histories())
@examples(20)
async def test_of_today_the_index_tells_what_the_door_tells(
    tmp_path_factory: pytest.TempPathFactory, history: Sequence[Fact]
) -> None:
    index = index_of(tmp_path_factory.mktemp("evidence"), *history)
    today = NOW + HOUR

    for identity in PEOPLE:
        view = await seen(pseudonym(identity), *history, at=today)
        past = was(index, at=today, identity=identity)
        assert everything_told(past, today) == everything_told(view, today)
        assert past.person == view.person


@given(history=histories(), at=MOMENTS | st.just(NOW + HOUR))
@examples(300)
async def test_of_any_day_it_tells_what_the_door_told_then(history: Sequence[Fact], at: int) -> None:
    by_then = [each for each in history if each.received_at <= at]

    for identity in map(pseudonym, PEOPLE):
        view = await seen(identity, *by_then, at=at)
        past = person_at(identity, kept(history), at=at, known_at=at, rules=shipped_rules())
        assert everything_told(past, at) == everything_told(view, at)
        assert past.person == view.person


@given(history=histories(), later=histories())
@examples(200)
def test_what_came_after_a_day_changes_no_answer_about_it(history: Sequence[Fact], later: Sequence[Fact]) -> None:
    at, shift = NOW + HOUR, DAY
    after = [
        replace(
            one,
            occurred_at=one.occurred_at + shift,
            received_at=one.received_at + shift,
            event_key=bytes(reversed(one.event_key)),
        )
        for one in later
    ]

    for identity in map(pseudonym, PEOPLE):
        for known_at in (at, at + 2 * shift):
            one, other = (
                person_at(identity, kept(facts), at=at, known_at=known_at, rules=shipped_rules())
                for facts in (history, [*history, *after])
            )
            assert everything_told(one, at, known_at) == everything_told(other, at, known_at)
            assert one.person == other.person
