"""The permitted events: purpose allowed at the snapshot, each field's own purpose open when its fact was written."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.purposes import ANALYTICS, FEEDBACK, PROFILE, PURPOSES, SENSITIVE, TRAIN
from consent.rules import shipped_rules
from events.acts import ConsentAct
from events.fact import Fact
from events.identity import Described, Linked, Related, Unlinked
from events.transactions import Purchased
from events.vocabulary import BODIES
from profiles.permitted import Permitted, permit_at, permitted_facts
from tests.builders import DAY, NOW, consent, examples, fact, facts, linked, pseudonym, purchased, unlinked
from tests.recommender.worlds import agreed, log_of

BEFORE, AFTER = NOW - 9 * DAY, NOW - DAY
DAIRY = [{"item": "milk", "category": "dairy"}]
BREAD = [{"item": "bread", "category": "bakery"}]
BABY = [{"item": "formula", "category": "baby"}]


def permitted(*said: Fact, purpose: str = TRAIN, at: int = NOW, **more: Any) -> list[Permitted]:
    return list(permitted_facts(log_of(said), purpose=purpose, at=at, **more, rules=shipped_rules()))


def keys(found: Sequence[Permitted]) -> list[bytes]:
    return [each.fact.event_key for each in found]


def items(found: Sequence[Permitted]) -> list[str]:
    return [line.item for each in found if isinstance(each.fact.body, Purchased) for line in each.fact.body.lines]


def attributes(found: Sequence[Permitted]) -> dict[str, Any]:
    return {
        name: value
        for each in found
        if isinstance(each.fact.body, Described)
        for name, value in each.fact.body.attributes.items()
    }


def withdrawn(purpose: str, **more: Any) -> Fact:
    return consent("withdrawn", purpose, **more)


def test_nobody_is_permitted_who_was_never_asked() -> None:
    assert permitted(purchased(), purchased(identity="app:2")) == []


def test_a_person_who_agreed_is_permitted_with_all_that_came_before_too() -> None:
    order = purchased(at=BEFORE)

    assert keys(permitted(order, *agreed(TRAIN, at=AFTER))) == [order.event_key]


@pytest.mark.parametrize("act", ["withdrawn", "refused"])
def test_a_no_takes_the_whole_person_out(act: Any) -> None:
    assert permitted(*agreed(TRAIN), purchased(), consent(act, TRAIN, at=AFTER)) == []


def test_a_grant_that_has_expired_at_the_snapshot_permits_nothing() -> None:
    grant = consent("given", TRAIN, at=BEFORE, expires_at=AFTER)

    assert permitted(grant, purchased(at=BEFORE), at=AFTER - 1)
    assert permitted(grant, purchased(at=BEFORE), at=AFTER) == []


def test_a_hold_closes_before_its_withdrawal_is_on_the_log() -> None:
    held = {pseudonym("app:42"): frozenset({TRAIN})}

    assert permitted(*agreed(TRAIN), purchased(), held=held) == []


def test_what_was_bought_is_seen_only_where_a_profile_may_be_built() -> None:
    early, late = purchased("o-1", at=BEFORE, lines=DAIRY), purchased("o-2", at=AFTER, lines=DAIRY)

    assert items(permitted(*agreed(TRAIN), early, late)) == []
    assert len(permitted(*agreed(TRAIN), early, late)) == 2
    assert items(permitted(*agreed(TRAIN), early, *agreed(PROFILE, at=NOW - 5 * DAY), late)) == ["milk"]


def test_sensitive_lines_and_attributes_need_their_own_consent() -> None:
    said = [
        purchased("o-1", at=BEFORE, lines=[*DAIRY, *BABY]),
        fact("identity.described", at=BEFORE, attributes={"plan": "gold", "baby": True, "language": "zh"}),
    ]

    plain = permitted(*agreed(TRAIN, PROFILE), *said)
    opened = permitted(*agreed(TRAIN, PROFILE, SENSITIVE), *said)

    assert (items(plain), attributes(plain)) == (["milk"], {"plan": "gold", "language": "zh"})
    assert items(opened) == ["milk", "formula"]
    assert attributes(opened) == {"plan": "gold", "baby": True, "language": "zh"}


def test_a_purpose_closed_since_takes_its_fields_out_even_where_it_was_given_again() -> None:
    order = purchased("o-1", at=BEFORE, lines=DAIRY)
    closed = withdrawn(PROFILE, at=NOW - 5 * DAY)
    again = consent("given", PROFILE, at=NOW - 4 * DAY)
    later = purchased("o-2", at=AFTER, lines=BREAD)

    assert items(permitted(*agreed(TRAIN, PROFILE), order, closed)) == []
    assert items(permitted(*agreed(TRAIN, PROFILE), order, closed, again, later)) == ["bread"]


def test_neither_another_yes_nor_a_no_said_again_takes_out_what_was_open() -> None:
    order, later = purchased("o-1", at=BEFORE, lines=DAIRY), purchased("o-2", at=AFTER, lines=BREAD)
    no, again = withdrawn(PROFILE, at=NOW - 5 * DAY), consent("given", PROFILE, at=NOW - 4 * DAY)
    renewed = consent("renewed", PROFILE, at=AFTER)

    assert items(permitted(*agreed(TRAIN, PROFILE), order, renewed)) == ["milk"]
    assert items(permitted(*agreed(TRAIN, PROFILE), order, no, again, later, no)) == ["bread"]


def test_a_field_s_purpose_has_to_be_allowed_at_the_snapshot_as_well() -> None:
    order = purchased("o-1", at=BEFORE, lines=DAIRY)
    expired = consent("given", PROFILE, at=NOW - 20 * DAY, expires_at=AFTER)
    no = consent("refused", PROFILE, identity="card:7", at=AFTER)

    assert items(permitted(*agreed(TRAIN), expired, order)) == []
    assert items(permitted(*agreed(TRAIN, PROFILE), order, *linked("app:42", "card:7", at=BEFORE), no)) == []


def test_free_text_needs_its_own_consent() -> None:
    review = fact("feedback.review_posted", review_id="r", score=5, title="Good", text="Very good")
    answered = fact("feedback.survey_answered", survey_id="s", kind="nps", score=9, text="Fine")
    complained = fact("feedback.complaint_filed", case_id="k", text="Bad")

    closed = permitted(*agreed(TRAIN), review, answered, complained)
    opened = permitted(*agreed(TRAIN, FEEDBACK), review, answered, complained)

    texts = [getattr(each.fact.body, "text") for each in closed]  # noqa: B009 - three bodies that each have a text
    assert texts == [None, None, None]
    assert [each.fact for each in opened] == [review, answered, complained]


def test_acts_and_links_are_not_events_to_fit_on() -> None:
    found = permitted(*agreed(TRAIN, PROFILE), *linked("app:42", "card:7"), purchased())

    assert not any(isinstance(each.fact.body, ConsentAct | Linked | Unlinked | Related) for each in found)
    assert len(found) == 1


def test_a_repeated_fact_comes_once() -> None:
    order = purchased(at=BEFORE)

    assert keys(permitted(*agreed(TRAIN), order, order)) == [order.event_key]


def test_verified_identities_are_one_person_and_one_grant_covers_them() -> None:
    link = linked("app:42", "card:7", at=BEFORE)
    orders = [purchased("o-1"), purchased("o-2", identity="card:7")]

    found = permitted(*agreed(TRAIN), *link, *orders)

    assert {each.person for each in found} == {min(pseudonym("app:42"), pseudonym("card:7"))}
    assert len(found) == 2


def test_a_no_of_a_linked_identity_takes_both_out_and_also_where_the_link_is_only_probable() -> None:
    no = consent("refused", TRAIN, identity="card:7", at=AFTER)
    orders = [purchased("o-1"), purchased("o-2", identity="card:7")]

    for strength in ("verified", "probable"):
        assert permitted(*agreed(TRAIN), *linked("app:42", "card:7", at=BEFORE, strength=strength), no, *orders) == []


def test_once_unlinked_the_world_is_as_if_never_linked() -> None:
    link, end = linked("app:42", "card:7", at=BEFORE), unlinked("app:42", "card:7", at=AFTER)
    said = [*agreed(TRAIN), purchased("o-1"), purchased("o-2", identity="card:7")]

    without = permitted(*said)
    after = permitted(*said[:1], *link, *said[1:], *end)

    assert [(each.person, each.fact) for each in after] == [(each.person, each.fact) for each in without]


def test_legitimate_interest_needs_no_grant_in_the_union_and_ends_with_an_objection() -> None:
    here = fact("identity.described", at=BEFORE, attributes={"country": "DE"})
    order = purchased(at=BEFORE)

    assert order.event_key in keys(permitted(here, order, purpose=ANALYTICS))
    assert permitted(here, order, consent("refused", ANALYTICS, at=AFTER), purpose=ANALYTICS) == []
    assert permitted(order, purpose=ANALYTICS) == []


def test_people_left_out_are_counted_apart() -> None:
    said = [*agreed(TRAIN), purchased(), purchased(identity="app:2"), purchased(identity="app:3")]

    permit = permit_at(log_of(said), purpose=TRAIN, at=NOW, held={}, rules=shipped_rules())

    assert (permit.allowed, permit.refused) == ({"consent": 1}, {"never_asked": 2})
    assert set(permit.person_of) == {pseudonym("app:42")}


def test_what_came_before_an_erasure_is_nobody_s_even_of_one_who_came_back() -> None:
    erased = fact("rights.erased", request_id="r-1", at=AFTER)
    before = [
        *agreed(TRAIN, at=BEFORE),
        purchased("o-1", at=BEFORE),
        # Another process, whose clock is ahead, took it before the erasure.
        purchased("o-2", at=BEFORE, received_at=AFTER + 2),
    ]
    back = [
        *agreed(TRAIN, at=AFTER + 1),
        purchased("o-3", at=BEFORE),
        purchased("o-4", at=AFTER),
        purchased("o-5", at=AFTER + 1),
    ]

    assert keys(permitted(*before, erased, *back)) == [back[-1].event_key]
    # What is repeated happened once.
    assert keys(permitted(*before, erased, *back, erased)) == [back[-1].event_key]


def test_a_description_of_which_nothing_may_be_used_is_left_out() -> None:
    told = fact("identity.described", at=BEFORE, attributes={"plan": "gold", "baby": True})

    assert permitted(*agreed(TRAIN), told) == []


@given(
    strangers=st.lists(
        st.sampled_from(sorted(BODIES.keys() - {"consent.given", "consent.renewed", "identity.linked"})).flatmap(
            lambda kind: facts(kind, identity="app:stranger")
        ),
        max_size=8,
    ),
    others=st.sets(st.sampled_from(sorted(PURPOSES.keys() - {TRAIN})), max_size=3),
)
@examples(80)
def test_who_never_agreed_changes_nothing_of_what_others_give(strangers: list[Fact], others: set[str]) -> None:
    said = [*agreed(TRAIN, PROFILE), purchased("o-1", at=BEFORE, lines=DAIRY), purchased("o-2", at=AFTER)]
    ties = {"identity.unlinked", "identity.related"}
    apart = [some for some in strangers if some.type not in ties]

    with_them = permitted(*agreed(*sorted(others), identity="app:stranger"), *apart, *said)

    assert [(each.person, each.fact) for each in with_them] == [(each.person, each.fact) for each in permitted(*said)]
