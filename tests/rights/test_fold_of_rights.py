"""Erased and refolded, folded like any other fact: what was is gone, and stays gone however often it is replayed."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consent.purposes import FEEDBACK, PROFILE, SENSITIVE, SUGGEST
from events.acts import NO_FACET, Refolded
from events.fact import Fact
from events.vocabulary import BODIES, RESERVED
from profiles.codec import decode_facet, encode_facet
from profiles.facet import Facet
from profiles.fold import fold
from profiles.packed import pack, unpack
from profiles.rights import erased_at, refolding, tombstone
from tests.builders import DAY, HOUR, NOW, case_opened, consent, examples, fact, facts, linked, purchased

ME: Final = "app:42"
LATER: Final = NOW + HOUR

some_facts = st.lists(
    st.sampled_from(sorted(BODIES.keys() - RESERVED)).flatmap(lambda kind: facts(kind, identity=ME)), max_size=6
)


def folded(*some: Fact, into: Facet | None = None) -> Facet:
    facet = into or Facet()
    for each in some:
        facet = fold(facet, each).facet
    return facet


def erased(*, at: int = LATER, request: str = "r-1") -> Fact:
    return fact("rights.erased", identity=ME, at=at, request_id=request)


def refolded(*kept: Fact, without: Fact, at: int = LATER) -> Fact:
    """What the system writes once it has folded the kept facts anew."""
    known = folded(*kept, without).recent
    body = refolding(request_id="r-2", without=[without.event_key], facet=replace(folded(*kept), recent=known))
    return fact("rights.refolded", identity=ME, at=at, **body.model_dump(exclude_defaults=True))


def heard(some: Fact, at: int) -> Fact:
    return replace(some, occurred_at=at, received_at=at)


WHOLE: Final = (
    consent("given", PROFILE, at=NOW - DAY),
    consent("given", SUGGEST, at=NOW - DAY),
    consent("given", SENSITIVE, at=NOW - DAY),
    consent("given", FEEDBACK, at=NOW - DAY),
    linked(ME, "card:7")[0],
    fact("identity.related", identity=ME, other="machine:9", kind="owns"),
    purchased("o-1"),
    case_opened(),
    fact("identity.described", attributes={"hobby": "sailing", "health": "good", "restricted": True}),
    fact("feedback.complaint_filed", case_id="c-2", text="never again"),
)


def test_an_erased_facet_is_a_tombstone_and_nothing_else() -> None:
    facet = folded(*WHOLE, erased())

    assert facet == tombstone(erased())
    assert erased_at(facet) == LATER
    assert encode_facet(facet) == encode_facet(folded(erased()))


@given(some_facts)
@examples(40)
def test_whatever_was_known_leaves_no_trace(some: list[Fact]) -> None:
    assert folded(*some, heard(erased(), 2**52)) == tombstone(heard(erased(), 2**52))


@given(some_facts)
@examples(40)
def test_a_repeat_of_what_was_heard_before_brings_nothing_back(some: list[Fact]) -> None:
    gone = folded(*[heard(each, NOW) for each in some], erased())

    assert folded(*[heard(each, NOW) for each in some], into=gone) == gone


def test_what_waited_unheard_of_the_erasure_stays_out_too() -> None:
    # received 09:30, erased 10:30, on the log only after that
    gone = folded(*WHOLE, erased())
    waiting = purchased("o-2", received_at=LATER)

    assert fold(gone, waiting) == (gone, "repeated")


@given(before=some_facts, after=some_facts, data=st.data())
@examples(60)
def test_what_is_left_does_not_depend_on_what_was_forgotten(
    before: list[Fact], after: list[Fact], data: st.DataObject
) -> None:
    # before | erased | after, with repeats of what came before in between, and what is left when its rows are gone
    known = [heard(each, NOW) for each in before]
    later = [heard(each, LATER + 1) for each in after]
    repeats = data.draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
    mixed = data.draw(st.permutations([*later, *repeats]))

    left = folded(erased(), *[each for each in mixed if each in later])

    assert folded(*known, erased(), *mixed) == left
    assert folded(erased(), *mixed) == left
    assert folded(*known, *known, erased(), *mixed) == left


def test_who_comes_back_starts_at_unknown() -> None:
    back = folded(*WHOLE, erased(), purchased("o-9", at=LATER + 1))

    assert set(back.service.orders) == {"o-9"}
    assert (back.consents, back.edges, back.relations) == ({}, {}, {})
    assert (back.build, back.sensitive, back.feedback) == (None, None, None)
    assert "restricted" not in back.legal.attributes


def test_an_event_that_was_known_once_may_happen_anew_to_who_comes_back() -> None:
    again = replace(WHOLE[6], received_at=LATER + 1)

    assert fold(folded(*WHOLE, erased()), again).fate == "applied"


def test_a_yes_from_before_never_counts_for_who_comes_back() -> None:
    late = consent("given", SUGGEST, at=LATER - 1, event_id="late")

    assert folded(*WHOLE, erased(), late).consents == {}


def test_an_erasure_that_came_twice_leaves_what_came_in_between() -> None:
    between = purchased("o-9", at=LATER + 1)

    assert set(folded(*WHOLE, erased(), between, erased()).service.orders) == {"o-9"}


def test_an_older_erasure_than_the_one_that_stands_changes_nothing() -> None:
    back = folded(*WHOLE, erased(), purchased("o-9", at=LATER + 1))

    assert fold(back, erased(at=LATER - 1, request="r-0")) == (back, "repeated")


def test_a_second_erasure_forgets_who_came_back() -> None:
    second = erased(at=LATER + DAY, request="r-9")

    assert folded(*WHOLE, erased(), purchased("o-9", at=LATER + 1), second) == tombstone(second)


def test_a_tombstone_is_stored_and_packed_as_it_is() -> None:
    facet = folded(*WHOLE, erased())

    assert decode_facet(encode_facet(facet)) == facet
    assert fold(unpack(pack(facet)), purchased("o-2", received_at=LATER)).fate == "repeated"


@given(some_facts, st.data())
@examples(60)
def test_a_refolded_facet_is_what_all_other_facts_amount_to(some: list[Fact], data: st.DataObject) -> None:
    told = list({each.event_key: each for each in [*WHOLE, *some]}.values())
    wrong = data.draw(st.sampled_from(told))
    kept = [each for each in told if each is not wrong]

    changed = folded(*told, refolded(*kept, without=wrong))

    assert replace(changed, recent=b"") == replace(folded(*kept), recent=b"")


def test_the_fact_that_was_wrong_does_not_come_back_when_it_is_repeated() -> None:
    wrong = purchased("o-wrong")
    changed = folded(*WHOLE, wrong, refolded(*WHOLE, without=wrong))

    assert fold(changed, wrong) == (changed, "repeated")


def test_a_replay_without_the_wrong_fact_gives_the_same_facet() -> None:
    wrong = purchased("o-wrong")
    anew = refolded(*WHOLE, without=wrong)

    assert folded(*WHOLE, anew) == folded(*WHOLE, wrong, anew)


def test_nothing_is_lost_that_came_while_it_was_folded_anew() -> None:
    wrong, meanwhile = purchased("o-wrong"), purchased("o-2")
    stands = folded(*WHOLE, wrong, meanwhile)

    assert fold(stands, refolded(*WHOLE, without=wrong)) == (stands, "repeated")


def test_facts_after_it_are_folded_onto_the_facet_anew() -> None:
    wrong, after = purchased("o-wrong"), purchased("o-2", at=LATER + 1)

    assert set(folded(*WHOLE, wrong, refolded(*WHOLE, without=wrong), after).service.orders) == {"o-1", "o-2"}


@pytest.mark.parametrize("damaged", [NO_FACET, "not base64!", "KLUv/SAL"])
def test_a_refolding_that_carries_no_facet_is_set_aside(damaged: str) -> None:
    stands = folded(*WHOLE)
    body = Refolded(request_id="r-2", without=("0" * 16,), facet=damaged)
    broken = fact("rights.refolded", identity=ME, **body.model_dump(exclude_defaults=True))

    assert fold(stands, broken) == (stands, "conflict")


def test_erasure_forgets_a_refolding_as_well() -> None:
    wrong = purchased("o-wrong")
    last = erased(at=LATER + 1)

    assert folded(*WHOLE, wrong, refolded(*WHOLE, without=wrong), last) == tombstone(last)
