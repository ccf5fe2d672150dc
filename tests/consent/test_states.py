"""The state of consent is a function of the set of acts: every order of arrival, every repetition, any clocks."""

import itertools
import random
from collections.abc import Sequence
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from consent.purposes import ALWAYS_OPEN, PROFILE, PURPOSES
from consent.state import (
    GRANTS_MAX,
    NEVER_ASKED,
    Asked,
    Cause,
    Form,
    Grant,
    No,
    PurposeState,
    joined,
    last_grant,
    opens,
    standing_grant,
    with_asked,
    with_grant,
    with_no,
)

Act = tuple[str, int, int] | tuple[str, int, int, int]
"""Kind, when it took effect, when it was received, when a grant ends (0: never)."""


def key_of(act: Act) -> bytes:
    return repr(act).encode()


def applied(state: PurposeState, act: Act) -> PurposeState:
    kind, effective_at, received_at, *end = act
    if kind in {"given", "renewed"}:
        expires_at = end[0] if end else 0
        grant = Grant(effective_at, received_at, expires_at, key_of(act), form=Form.SEPARATE, renewed=kind == "renewed")
        return with_grant(state, grant)
    if kind in {"requested", "deferred"}:
        return with_asked(state, Asked(effective_at, received_at, key_of(act), deferred=kind == "deferred"))
    return with_no(state, No(effective_at, received_at, key_of(act), Cause[kind.upper()]))


def state_after(acts: Sequence[Act]) -> PurposeState:
    """The state once the acts arrived in this order."""
    state = NEVER_ASKED
    for act in acts:
        state = applied(state, act)
    return state


def answers(state: PurposeState) -> list[bool]:
    return [standing_grant(state, at=at) is not None for at in range(-1, 9)]


NO_KINDS: Final = frozenset({"refused", "withdrawn", "revoked", "invalidated"})
TIMES: Final = st.integers(0, 6)
GRANTS: Final = st.tuples(st.sampled_from(["given", "renewed"]), TIMES, TIMES, TIMES)
NOES: Final = st.tuples(st.sampled_from(sorted(NO_KINDS)), TIMES, TIMES)
ACTS: Final = st.lists(GRANTS | NOES, max_size=6)


def allowed_by_the_rule(acts: Sequence[Act], at: int) -> bool:
    """The rule in words: the last yes in effect, later than every no in both times, not past its end."""
    yeses = [(act[1], act[2], (*act, 0)[3]) for act in acts if act[0] in {"given", "renewed"} and act[1] <= at]
    if not yeses:
        return False
    effective_at, received_at, _ = max(yeses)
    ends = [end for effective, received, end in yeses if (effective, received) == (effective_at, received_at)]
    noes = [act for act in acts if act[0] in NO_KINDS]
    is_later = all(effective_at > no[1] and received_at > no[2] for no in noes)
    return is_later and all(end == 0 or at < end for end in ends)


def test_every_order_of_a_few_acts_gives_one_state() -> None:
    kinds: list[Act] = [("given", 1, 4), ("renewed", 3, 3, 6), ("refused", 2, 2), ("withdrawn", 4, 1), ("given", 5, 5)]
    for size in range(1, len(kinds) + 1):
        for acts in itertools.combinations(kinds, size):
            states = {state_after(order) for order in itertools.permutations(acts)}
            assert len(states) == 1, acts


def test_in_every_order_of_arrival_the_last_question_is_on_record() -> None:
    acts: list[Act] = [("requested", 1, 4), ("deferred", 3, 3), ("requested", 2, 5), ("given", 4, 4)]
    last = Asked(3, 3, key_of(acts[1]), deferred=True)
    for order in itertools.permutations(acts):
        assert state_after(order).asked == last
        assert joined(state_after([act]) for act in order).asked == last


def test_every_pair_of_a_yes_and_a_no_follows_the_rule() -> None:
    for yes_effective, yes_received, no_effective, no_received in itertools.product(range(4), repeat=4):
        acts: list[Act] = [("given", yes_effective, yes_received), ("refused", no_effective, no_received)]
        is_open = standing_grant(state_after(acts), at=9) is not None
        assert is_open == (yes_effective > no_effective and yes_received > no_received), acts


@given(ACTS, st.randoms(use_true_random=False), st.integers(0, 3))
def test_order_and_repetition_never_change_the_state(acts: list[Act], chance: random.Random, repeats: int) -> None:
    again = [*acts, *acts[:repeats]]
    chance.shuffle(again)
    assert state_after(again) == state_after(acts)


@given(ACTS)
def test_the_state_answers_as_the_rule_says(acts: list[Act]) -> None:
    assert answers(state_after(acts)) == [allowed_by_the_rule(acts, at) for at in range(-1, 9)]


@given(ACTS, NOES)
def test_one_more_no_never_opens_anything(acts: list[Act], no: Act) -> None:
    before, after = answers(state_after(acts)), answers(state_after([*acts, no]))
    assert all(not opened or was for was, opened in zip(before, after, strict=True))


@given(st.lists(ACTS, max_size=3))
def test_joining_parts_is_hearing_all_their_acts(parts: list[list[Act]]) -> None:
    assert joined(map(state_after, parts)) == state_after([act for part in parts for act in part])


@given(ACTS)
def test_what_one_identity_said_needs_no_joining(acts: list[Act]) -> None:
    assert joined([state_after(acts)]) == state_after(acts)


@given(st.lists(GRANTS | NOES, min_size=GRANTS_MAX, max_size=GRANTS_MAX + 6))
def test_forgetting_old_grants_never_opens_anything(acts: list[Act]) -> None:
    state = state_after(acts)
    assert len(state.grants) <= GRANTS_MAX
    for at in range(-1, 9):
        assert standing_grant(state, at=at) is None or allowed_by_the_rule(acts, at)


@given(ACTS, st.integers(-1, 8))
def test_knowing_less_only_refuses_more_of_what_a_grant_opened(acts: list[Act], known_at: int) -> None:
    known = [act for act in acts if act[0] in NO_KINDS or act[2] <= known_at]
    for at in range(-1, 9):
        past = standing_grant(state_after(acts), at=at, known_at=known_at)
        assert past == standing_grant(state_after(known), at=at)


def test_a_yes_with_an_end_ends_an_earlier_yes_without_one() -> None:
    state = state_after([("given", 1, 1), ("renewed", 2, 2, 5)])
    assert standing_grant(state, at=4) is not None
    assert standing_grant(state, at=5) is None


def test_of_yeses_at_one_time_the_one_that_ends_first_counts() -> None:
    grant = last_grant(state_after([("given", 1, 1), ("renewed", 1, 1, 7), ("given", 1, 1, 5)]), at=4)
    assert grant is not None
    assert grant.expires_at == 5


def test_a_no_that_strikes_an_expired_yes_does_not_bring_an_older_one_back() -> None:
    acts: list[Act] = [("given", 1, 6), ("renewed", 2, 3, 4)]
    assert standing_grant(state_after(acts), at=7) is None
    assert standing_grant(state_after([*acts, ("refused", 0, 4)]), at=7) is None


def test_of_many_grants_the_last_eight_in_effect_are_kept() -> None:
    many: list[Act] = [("given", at, 20 - at) for at in range(11)]
    assert [grant.effective_at for grant in state_after(many).grants] == [10, 9, 8, 7, 6, 5, 4, 3]


def test_a_section_opens_by_an_act_alone_and_the_contract_s_always() -> None:
    for purpose in PURPOSES:
        assert opens({}, purpose, received_at=1) == (purpose in ALWAYS_OPEN)
        assert opens({purpose: state_after([("given", 1, 1)])}, purpose, received_at=1)
    assert not opens({PROFILE: state_after([("given", 1, 1, 3)])}, PROFILE, received_at=3)
