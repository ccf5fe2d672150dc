"""The fold as properties: order and repetition do not matter, purposes gate, and nothing is lost in silence."""

import random
from functools import cache
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consent.purposes import FEEDBACK, LEGAL, PROFILE, SENSITIVE, SERVICE
from events.fact import Fact
from events.vocabulary import BODIES
from profiles.deltas import deltas
from profiles.facet import CELLS_MAX, TEXTS_MAX, Facet, FeedbackSection
from profiles.fold import EDGES_MAX, KNOWN_MAX, RECORDS_MAX, fold
from profiles.joining import HORIZON_MS, STEP_MS, join_sections
from tests.builders import (
    DAY,
    NOW,
    case_opened,
    complaint,
    consent,
    examples,
    fact,
    facts,
    linked,
    pseudonym,
    purchased,
    unlinked,
)

OPENING: Final = [consent("given", purpose, at=0) for purpose in (PROFILE, SENSITIVE, FEEDBACK)]
ACTS: Final = frozenset(name for name in BODIES if name.startswith(("consent.", "rights.")))
ME: Final = "app:42"


def folded(*some: Fact, into: Facet | None = None) -> Facet:
    facet = into or Facet()
    for each in some:
        facet = fold(facet, each).facet
    return facet


def content(facet: Facet) -> Any:
    """All but the ring of known ids, whose order is that of arrival; maps without their order."""
    return replace(facet, recent=b"")


def unlike(some: list[Fact]) -> list[Fact]:
    return list({each.event_key: each for each in some}.values())


said = st.lists(facts(identity=ME).filter(lambda each: each.type not in ACTS), max_size=12).map(unlike)


@st.composite
def colliding(draw: st.DrawFn) -> list[Fact]:
    """Facts about the same few records at the same few moments, out to beyond the horizon."""
    made = []
    for number in range(draw(st.integers(0, 25))):
        at = NOW + draw(st.sampled_from([0, 1, 2, STEP_MS, HORIZON_MS, HORIZON_MS + STEP_MS, 2 * HORIZON_MS]))
        name = draw(st.sampled_from(["1", "2"]))
        shown = {"decision": name, "service": draw(st.sampled_from(["loan", "card"]))}
        bodies: dict[str, dict[str, Any]] = {
            "transaction.purchased": {"order_id": name, "total": {"amount": number, "currency": "EUR"}},
            "transaction.refunded": {"order_id": name, "refund": {"amount": number, "currency": "EUR"}},
            "service.delivery_step": {"order_id": name, "step": "delivered"},
            "service.case_opened": {"case_id": name},
            "service.case_replied": {"case_id": name},
            "service.case_resolved": {"case_id": name},
            "feedback.complaint_filed": {"case_id": name, "text": f"complaint {number}"},
            "feedback.suggestion_answered": {**shown, "answer": "declined"},
            "identity.described": {"attributes": {"hobby": number, "health": number, "minor": True, "country": "DE"}},
            "identity.linked": {"other": f"card:{name}", "strength": "verified", "reason": "tests"},
            "identity.unlinked": {"other": f"card:{name}", "reason": "tests"},
            "identity.related": {"other": f"card:{name}", "kind": "owns"},
        }
        kind = draw(st.sampled_from(sorted(bodies)))
        made.append(fact(kind, identity=ME, at=at, event_id=f"e-{number}", **bodies[kind]))
    return made


@given(said | colliding(), st.randoms(use_true_random=False))
def test_facts_in_any_order_give_the_same_facet(some: list[Fact], chance: random.Random) -> None:
    shuffled = list(some)
    chance.shuffle(shuffled)
    assert content(folded(*OPENING, *some)) == content(folded(*OPENING, *shuffled))


@given(said | colliding(), st.data())
def test_a_repeated_fact_counts_once(some: list[Fact], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(some), max_size=5)) if some else []
    once = folded(*OPENING, *some)
    assert folded(*again, into=once) == once
    assert all(fold(once, each).fate == "repeated" for each in again)


@given(facts(identity=ME))
def test_a_known_key_with_another_payload_is_a_conflict_and_changes_nothing(one: Fact) -> None:
    first = fold(Facet(), one)
    if first.fate != "applied":
        return
    other = replace(one, digest=b"else")
    if one.digest != b"else":
        assert fold(first.facet, other) == (first.facet, "conflict")


@given(facts())
def test_every_fact_has_a_fate_and_leaves_a_facet_that_can_be_stored(one: Fact) -> None:
    result = fold(Facet(), one)
    # Whatever a refolding carries that is no facet is set aside.
    assert result.fate in {"applied", "conflict" if one.type == "rights.refolded" else "unknown_purpose"}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(result.facet), type=Facet) == result.facet


def test_ids_are_remembered_for_a_thousand_facts_and_no_longer() -> None:
    many = [fact("service.visited", at=NOW + number, place="shop") for number in range(KNOWN_MAX + 1)]
    facet = folded(*many)
    assert [fold(facet, many[number]).fate for number in (0, 1, KNOWN_MAX)] == ["applied", "repeated", "repeated"]


def test_a_key_is_found_only_where_an_entry_begins() -> None:
    one = fact("service.visited", place="shop")
    across = Facet(recent=b"\x00" * 4 + one.event_key + b"\x00" * 12)
    assert fold(across, one).fate == "applied"


def test_the_newest_sixteen_of_a_list_are_kept_whatever_came_first() -> None:
    replies = [fact("service.case_replied", at=NOW + number, case_id="case-1") for number in range(CELLS_MAX + 5)]
    facet = folded(*reversed(replies))
    assert [cell.at - NOW for cell in facet.service.cases["case-1"].replies] == list(range(CELLS_MAX + 4, 4, -1))


def test_what_is_behind_the_horizon_is_forgotten_and_not_taken_up_again() -> None:
    old, new = purchased("old", at=NOW), purchased("new", at=NOW + HORIZON_MS + STEP_MS)
    assert set(folded(old, new).service.orders) == {"new"}
    assert set(folded(new, old).service.orders) == {"new"}


def test_a_record_loses_its_old_fields_one_by_one() -> None:
    opened = case_opened("case-1", at=NOW)
    resolved = fact("service.case_resolved", at=NOW + HORIZON_MS, case_id="case-1")
    trimmed = folded(opened, resolved, fact("service.visited", at=NOW + HORIZON_MS + STEP_MS, place="shop"))
    assert trimmed.service.cases["case-1"].opened is None
    assert trimmed.service.cases["case-1"].resolved


def test_a_list_loses_its_old_end_alone() -> None:
    replies = [fact("service.case_replied", at=NOW + after, case_id="case-1") for after in (0, HORIZON_MS)]
    trimmed = folded(*replies, fact("service.visited", at=NOW + HORIZON_MS + STEP_MS, place="shop"))
    assert [cell.at - NOW for cell in trimmed.service.cases["case-1"].replies] == [HORIZON_MS]


@cache
def full() -> Facet:
    """No room for another order."""
    return folded(*(purchased(f"o-{number}", at=NOW + number) for number in range(RECORDS_MAX)))


def test_a_full_facet_sets_aside_what_would_add_a_record() -> None:
    assert fold(full(), purchased("one-more")) == (full(), "full")


def test_a_full_facet_still_takes_what_happens_to_its_records() -> None:
    delivered = fold(full(), fact("service.delivery_step", at=NOW + DAY, order_id="o-7", step="delivered"))
    assert delivered.fate == "applied"
    assert delivered.facet.service.orders["o-7"].delivered is not None


def test_a_full_facet_still_takes_everything_that_restricts() -> None:
    restricting = [
        consent("withdrawn", PROFILE),
        fact("identity.described", attributes={"restricted": True}),
        unlinked(ME, "card:7")[0],
        complaint("case-1", text="too slow"),
        fact("feedback.suggestion_answered", decision="d-1", service="loan", answer="declined"),
        fact("outreach.sent", outreach="m-1", trigger="care", channel="email"),
    ]
    assert [fold(full(), each).fate for each in restricting] == ["applied"] * 6
    assert set(folded(*restricting, into=full()).service.cases) == {"case-1"}


def test_cases_suggestions_and_messages_are_bounded_together() -> None:
    many = folded(*(complaint(f"case-{number}") for number in range(RECORDS_MAX)))
    assert fold(many, fact("outreach.sent", outreach="m-1", trigger="care", channel="email")).fate == "full"
    assert fold(many, fact("service.case_resolved", case_id="case-1")).fate == "applied"
    assert fold(many, purchased("o-1")).fate == "applied"


def test_links_take_no_room_from_what_happened() -> None:
    links = [linked(ME, f"card:{number}")[0] for number in range(EDGES_MAX + 1)]
    facet = folded(*links)
    assert len(facet.edges) == EDGES_MAX
    assert fold(facet, links[-1]).fate == "full"
    assert fold(facet, purchased("o-1")).fate == "applied"
    assert fold(full(), links[0]).fate == "applied"
    assert fold(facet, linked(ME, "card:0", at=NOW + 1)[0]).fate == "applied"


def test_a_link_that_is_held_can_always_be_ended_and_the_end_of_one_that_is_not_is_refused_like_it() -> None:
    facet = folded(*(linked(ME, f"card:{number}")[0] for number in range(EDGES_MAX)))
    assert fold(facet, unlinked(ME, "card:0", at=NOW + 1)[0]).fate == "applied"
    assert [fold(facet, half(ME, "card:new")[0]).fate for half in (linked, unlinked)] == ["full", "full"]


def test_what_is_kept_for_other_purposes_fills_a_facet_too() -> None:
    opened = folded(consent("given", PROFILE), into=full())
    assert fold(opened, fact("identity.described", at=NOW + 1, attributes={"hobby": "sailing"})).fate == "full"


DESCRIBED: Final = {"hobby": "sailing", "health": "good", "country": "DE", "minor": False}


def test_each_attribute_is_kept_under_its_own_purpose() -> None:
    facet = folded(*OPENING, fact("identity.described", attributes=DESCRIBED))
    assert facet.build is not None
    assert facet.sensitive is not None
    kept = {
        PROFILE: facet.build.attributes,
        SENSITIVE: facet.sensitive.attributes,
        SERVICE: facet.service.attributes,
        LEGAL: facet.legal.attributes,
    }
    assert {purpose: set(attributes) for purpose, attributes in kept.items()} == {
        PROFILE: {"hobby"},
        SENSITIVE: {"health"},
        SERVICE: {"country"},
        LEGAL: {"minor"},
    }


def test_without_consent_only_contract_and_law_are_kept() -> None:
    facet = folded(fact("identity.described", attributes=DESCRIBED), complaint("case-1", text="too slow"))
    assert (facet.build, facet.sensitive, facet.feedback) == (None, None, None)
    assert set(facet.service.attributes) | set(facet.legal.attributes) == {"country", "minor"}
    assert facet.service.cases["case-1"].complaint is not None


def test_facts_before_the_opening_are_not_kept() -> None:
    before, after = (fact("identity.described", at=NOW + n, attributes={f"a{n}": n}) for n in (0, 2))
    facet = folded(before, consent("given", PROFILE, at=NOW + 1), after)
    assert facet.build is not None
    assert set(facet.build.attributes) == {"a2"}


@pytest.mark.parametrize("act", ["withdrawn", "refused"])
@pytest.mark.parametrize(("purpose", "name"), [(PROFILE, "build"), (SENSITIVE, "sensitive"), (FEEDBACK, "feedback")])
def test_closing_a_purpose_drops_its_section_and_no_other(act: Any, purpose: str, name: str) -> None:
    facet = folded(*OPENING, fact("identity.described", attributes=DESCRIBED), complaint("case-1", text="too slow"))
    closed = folded(consent(act, purpose, at=NOW + 1), into=facet)
    others = {"build", "sensitive", "feedback", "service", "legal"} - {name}
    assert getattr(closed, name) is None
    assert {other: getattr(closed, other) for other in others} == {other: getattr(facet, other) for other in others}


def test_an_expired_consent_keeps_nothing_more() -> None:
    given_until = consent("given", PROFILE, at=NOW, expires_at=NOW + 5)
    within, after = (fact("identity.described", at=NOW + n, attributes={f"a{n}": n}) for n in (4, 5))
    facet = folded(given_until, within, after)
    assert facet.build is not None
    assert set(facet.build.attributes) == {"a4"}


def test_a_no_that_came_late_but_was_said_before_the_yes_still_closes() -> None:
    yes = consent("given", PROFILE, at=NOW + 1)
    late_no = consent("refused", PROFILE, at=NOW, received_at=NOW + 9)
    assert folded(yes, late_no, fact("identity.described", at=NOW + 10, attributes={"hobby": 1})).build is None


def test_an_act_about_an_unknown_purpose_is_set_aside() -> None:
    act = consent("given", "world.domination")
    assert fold(Facet(), act) == (Facet(), "unknown_purpose")


def written(number: int) -> Fact:
    return complaint(f"case-{number}", at=NOW + number // 3, text=f"complaint {number}", event_id=f"e-{number}")


@given(st.lists(st.integers(0, 2 * TEXTS_MAX), min_size=TEXTS_MAX, unique=True), st.randoms(use_true_random=False))
@examples(20)
def test_the_newest_texts_are_kept_whatever_came_first(numbers: list[int], chance: random.Random) -> None:
    said = [written(number) for number in numbers]
    facet = folded(OPENING[2], *said)
    shuffled = list(said)
    chance.shuffle(shuffled)
    assert content(folded(OPENING[2], *shuffled)) == content(facet)
    newest_first = sorted(said, key=lambda each: each.order, reverse=True)
    assert facet.feedback is not None
    kept = {words.written.key for words in facet.feedback.words.values() if words.written}
    assert kept == {each.event_key for each in newest_first[:TEXTS_MAX]}


@given(st.lists(st.tuples(st.integers(0, 2 * TEXTS_MAX), st.integers(0, 2)), min_size=TEXTS_MAX, unique=True))
@examples(20)
def test_texts_told_to_several_identities_join_as_if_told_to_one(told: list[tuple[int, int]]) -> None:
    parts = [folded(OPENING[2], *(written(n) for n, part in told if part == which)).feedback for which in range(3)]
    first, second, third = (part or FeedbackSection() for part in parts)
    whole = folded(OPENING[2], *(written(number) for number, _ in told)).feedback
    assert join_sections(join_sections(first, second), third) == whole
    assert join_sections(third, join_sections(second, first)) == whole
    assert join_sections(join_sections(first, second), second) == join_sections(second, first)


def test_one_review_id_about_two_orders_is_two_reviews() -> None:
    reviews = [fact("feedback.review_posted", review_id="r-1", about=about, score=3) for about in ("o-1", "o-2")]
    assert len(folded(*reviews).service.reviews) == 2


def test_every_fact_but_a_description_and_a_claim_leaves_a_touch() -> None:
    assert folded(fact("service.visited", place="shop", channel="branch")).service.touch["last"].points[0].value == (
        "service.visited",
        "branch",
    )
    assert not folded(fact("outreach.claimed", outreach="m-1", go=True)).service.touch
    assert not folded(fact("identity.described", attributes={"country": "DE"})).service.touch


FOLDED_APART: Final = {"identity.linked", "identity.unlinked", "identity.related", *ACTS}


@pytest.mark.parametrize("event_type", sorted(BODIES.keys() - FOLDED_APART))
@examples(25)
@given(data=st.data())
def test_every_type_adds_something_to_a_facet(event_type: str, data: st.DataObject) -> None:
    one = data.draw(facts(event_type))
    if event_type == "service.case_replied" and getattr(one.body, "by") == "customer":  # noqa: B009
        return
    assert deltas(one)


def test_a_link_is_kept_with_the_other_end_and_a_relation_with_its_direction() -> None:
    owns = fact("identity.related", identity=ME, other="machine:9", kind="owns")
    facet = folded(linked(ME, "card:7")[0], owns)
    assert set(facet.edges) == {pseudonym("card:7")}
    assert set(facet.relations) == {f"owns to {pseudonym('machine:9')}"}
