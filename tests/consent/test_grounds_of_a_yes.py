"""What a yes needs besides being the last word: a text that still holds, enough clearness, enough proof, an adult."""

from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consent.door import Allowed, Part, RefusalReason, Subject, combined, status
from consent.matrix import DEFAULT_MATRIX, Matrix
from consent.notices import DEFAULT_NOTICES, Notices
from consent.purposes import ANALYTICS, CHARACTERISTICS, PROFILE, PURPOSES, SENSITIVE, SERVICE, SHARE, SUGGEST, TRAIN
from consent.rules import Rules, shipped_rules
from consent.state import Form, Grant, PurposeState, with_grant
from consent.status import VALID, BasisStatus, ConsentStatus
from events.shape import format_time
from tests.consent.test_door import NOW, asked, everything, part, reason, subject
from tests.consent.test_states import ACTS, Act, state_after

YES = Grant(10, 10, 0, b"yes", "recorded", "", Form.EXPRESSED)
CHANGED_AT, TOLD_AT = 500, 400


def rules(*, change: str = "material", purpose: str = PROFILE, known_from: int = TOLD_AT) -> Rules:
    """The shipped rules, with a second version of the notice about a purpose."""
    content: dict[str, Any] = yaml.safe_load(DEFAULT_NOTICES.read_bytes())
    [first] = [notice for notice in content["notices"] if purpose in notice["purposes"]]
    times = {"valid_from": format_time(CHANGED_AT), "known_from": format_time(known_from)}
    content["notices"].append({**deepcopy(first), "version": 2, "change": change, **times})
    return Rules(shipped_rules().matrix, Notices.of(content))


def saying(*grants: Grant, purpose: str = PROFILE, **who: Any) -> Subject:
    state = PurposeState()
    for grant in grants:
        state = with_grant(state, grant)
    return subject(Part("app:a", {purpose: state}), **who)


def told(who: Subject, purpose: str = PROFILE, *, at: int = NOW, known_at: int = NOW) -> str:
    return status(who, purpose, at=at, known_at=known_at).value


# The notice.


@pytest.mark.parametrize("ref", ["profile/1", "", "privacy-2026-01", "training/1"])
def test_a_yes_to_an_older_text_ends_when_the_text_changes_materially(ref: str) -> None:
    who = saying(replace(YES, notice=ref), rules=rules())
    assert asked(who, PROFILE, at=CHANGED_AT - 1)
    assert reason(asked(who, PROFILE, at=CHANGED_AT)) is RefusalReason.SUPERSEDED
    assert (told(who, at=CHANGED_AT - 1), told(who, at=CHANGED_AT)) == ("given", "superseded")


def test_a_yes_to_the_new_text_stands() -> None:
    who = saying(replace(YES, notice="profile/2"), rules=rules())
    assert asked(who, PROFILE)


def test_a_new_yes_to_the_old_text_does_not_stand() -> None:
    late = replace(YES, effective_at=900, received_at=900, notice="profile/1")
    assert reason(asked(saying(late, rules=rules()), PROFILE)) is RefusalReason.SUPERSEDED


def test_a_change_that_was_not_known_then_did_not_end_anything_then() -> None:
    who = saying(YES, rules=rules(known_from=800))
    assert asked(who, PROFILE, at=NOW, known_at=799)
    assert reason(asked(who, PROFILE, at=NOW, known_at=800)) is RefusalReason.SUPERSEDED


def test_an_editorial_change_ends_nothing() -> None:
    assert asked(saying(replace(YES, notice="profile/1"), rules=rules(change="editorial")), PROFILE)


def test_a_change_about_another_purpose_ends_nothing() -> None:
    assert asked(saying(replace(YES, notice="profile/1"), rules=rules(purpose=TRAIN)), PROFILE)


def test_what_needs_a_superseded_purpose_is_closed_too() -> None:
    who = subject(part(profile_build=[("given", 10, 10)], suggest_personal=[("given", 10, 10)]), rules=rules())
    answer = asked(who, SUGGEST)
    assert reason(answer) is RefusalReason.NEEDS
    assert "superseded" in str(answer)


# How clear it was, and how well it is proven.


@pytest.mark.parametrize("jurisdiction", ["EU", "CN", None])
@pytest.mark.parametrize("purpose", [SENSITIVE, SHARE])
def test_what_is_delicate_takes_a_clearer_yes(purpose: str, jurisdiction: str | None) -> None:
    for form in Form:
        answer = asked(saying(replace(YES, form=form), purpose=purpose, jurisdiction=jurisdiction), purpose)
        is_enough = form in {Form.SEPARATE, Form.WRITTEN}
        assert bool(answer) == is_enough
        assert is_enough or reason(answer) is RefusalReason.FORM


def test_a_yes_that_was_only_implied_opens_nothing() -> None:
    implied = replace(YES, form=Form.IMPLIED)
    opened = [name for name in PURPOSES if asked(saying(implied, purpose=name, jurisdiction="CN"), name)]
    assert opened == [SERVICE, "legal.records", CHARACTERISTICS]


@pytest.mark.parametrize("purpose", [SENSITIVE, SHARE])
def test_another_system_s_word_is_not_enough_for_what_is_delicate(purpose: str) -> None:
    yes = replace(YES, form=Form.SEPARATE)
    assert asked(saying(yes, purpose=purpose), purpose)
    imported = saying(replace(yes, evidence="imported"), purpose=purpose)
    assert reason(asked(imported, purpose)) is RefusalReason.EVIDENCE
    assert asked(saying(replace(YES, evidence="imported")), PROFILE)


def test_the_proof_that_is_enough_is_data() -> None:
    content = yaml.safe_load(DEFAULT_MATRIX.read_bytes())
    content["versions"][0]["evidence"][PROFILE] = ["recorded"]
    strict = Rules(Matrix.of(content), shipped_rules().notices)
    assert reason(asked(saying(replace(YES, evidence="demo"), rules=strict), PROFILE)) is RefusalReason.EVIDENCE
    assert asked(saying(YES, rules=strict), PROFILE)


# Minors.


def test_a_minor_s_consent_is_a_guardian_s() -> None:
    minor = frozenset({"minor"})
    assert reason(asked(saying(YES, overlays=minor), PROFILE)) is RefusalReason.MINOR
    assert asked(saying(replace(YES, by_guardian=True), overlays=minor), PROFILE)


def test_a_guardian_agrees_to_no_suggestion_no_message_and_no_training() -> None:
    by_guardian = {
        name: PurposeState(grants=(replace(YES, form=Form.SEPARATE, by_guardian=True),)) for name in PURPOSES
    }
    who = subject(Part("app:a", by_guardian), overlays=frozenset({"minor"}))
    closed = {name for name in PURPOSES if not asked(who, name)}
    assert closed == {SUGGEST, TRAIN, *(name for name in PURPOSES if name.startswith("outreach."))}


def test_a_minor_s_own_later_yes_does_not_stand_on_the_guardian_s() -> None:
    own = replace(YES, effective_at=20, received_at=20, key=b"own")
    who = saying(replace(YES, by_guardian=True), own, overlays=frozenset({"minor"}))
    assert reason(asked(who, PROFILE)) is RefusalReason.MINOR


# The switch of PIPL 24.


AGREED: list[Act] = [("given", 10, 10)]
OFF: Act = ("withdrawn", 20, 20)


def switched(*acts: Act, held: frozenset[str] = frozenset()) -> Subject:
    states = {**everything().states, CHARACTERISTICS: state_after(acts)}
    return subject(Part("app:a", states, held), jurisdiction="CN")


def test_the_switch_closes_suggestions_and_messages_whatever_else_was_agreed_to() -> None:
    assert asked(switched(), SUGGEST)
    off = switched(OFF)
    assert reason(asked(off, CHARACTERISTICS)) is RefusalReason.WITHDRAWN
    assert reason(asked(off, SUGGEST)) is RefusalReason.NEEDS
    assert reason(asked(off, "outreach.email")) is RefusalReason.NEEDS
    assert asked(off, PROFILE)


def test_a_later_yes_to_suggestions_does_not_turn_the_switch_on() -> None:
    states = {**switched(OFF).parts[0].states, SUGGEST: state_after([("given", 30, 30)])}
    assert reason(asked(subject(Part("app:a", states)), SUGGEST)) is RefusalReason.NEEDS


def test_the_switch_is_turned_on_by_the_person_alone() -> None:
    assert asked(switched(OFF, ("given", 30, 30)), SUGGEST)
    assert not asked(switched(OFF, ("given", 5, 30)), SUGGEST)


def test_the_switch_works_before_it_is_folded() -> None:
    held = switched(held=frozenset({CHARACTERISTICS}))
    assert reason(asked(held, CHARACTERISTICS)) is RefusalReason.HELD
    assert not asked(held, SUGGEST)


# What it rests on.


def test_without_a_matrix_of_the_day_nothing_is_allowed() -> None:
    content = yaml.safe_load(DEFAULT_MATRIX.read_bytes())
    content["versions"][0]["valid_from"] = format_time(NOW + 1)
    who = subject(everything(), rules=Rules(Matrix.of(content), shipped_rules().notices))
    assert {reason(asked(who, purpose)) for purpose in PURPOSES} == {RefusalReason.NO_BASIS}
    assert told(who) == "given"


def test_another_basis_has_a_state_of_its_own() -> None:
    who = subject(part())
    assert told(who, SERVICE) == BasisStatus.CONTRACT_ACTIVE
    assert told(subject(part(), overlays=frozenset({"contract_ended"})), SERVICE) == BasisStatus.CONTRACT_ENDED
    assert told(who, "legal.records") == BasisStatus.OBLIGATION_ONGOING
    assert told(who, ANALYTICS) == BasisStatus.NOT_OBJECTED
    assert told(subject(part(analytics_aggregate=[OFF])), ANALYTICS) == BasisStatus.OBJECTED
    assert told(subject(part(analytics_aggregate=[OFF, ("given", 30, 30)])), ANALYTICS) == BasisStatus.NOT_OBJECTED
    assert told(subject(part(), overlays=frozenset({"objected"})), ANALYTICS) == BasisStatus.OBJECTED
    assert told(subject(part(), jurisdiction="CN"), ANALYTICS) == ConsentStatus.UNKNOWN
    assert told(switched(OFF), CHARACTERISTICS) == BasisStatus.OBJECTED


@pytest.mark.parametrize(
    ("acts", "state"),
    [
        ([], "unknown"),
        ([("requested", 10, 10)], "requested"),
        ([("requested", 10, 10), ("deferred", 11, 11)], "deferred"),
        ([("deferred", 10, 10), ("requested", 11, 11)], "requested"),
        ([("requested", 10, NOW + 1)], "unknown"),
        ([("given", 10, 10)], "given"),
        ([("given", 10, 10), ("renewed", 20, 20)], "renewed"),
        ([("renewed", 10, 10), ("given", 20, 20)], "given"),
        ([("given", 10, 10, 20)], "expired"),
        ([("refused", 10, 10)], "refused"),
        ([("given", 10, 10), ("withdrawn", 20, 20)], "withdrawn"),
        ([("given", 10, 10), ("revoked", 20, 20)], "revoked"),
        ([("given", 10, 10), ("invalidated", 20, 20)], "invalidated"),
        ([("withdrawn", 20, 20), ("given", 10, 30)], "withdrawn"),
        ([("withdrawn", 20, 20), ("requested", 30, 30)], "withdrawn"),
        ([("given", 10, 10, 20), ("requested", 30, 30)], "expired"),
        ([("withdrawn", 20, 20), ("given", 30, 30)], "given"),
    ],
)
def test_every_state_of_the_vocabulary_is_told(acts: list[Act], state: str) -> None:
    assert told(subject(part(profile_build=acts))) == state


@given(ACTS, st.integers(-1, 9))
def test_the_state_says_given_exactly_when_a_consent_stands(acts: list[Act], at: int) -> None:
    who = subject(part(profile_build=acts))
    state = combined(who, PROFILE)
    assert (status(who, PROFILE, at=at, known_at=NOW) in VALID) == bool(asked(who, PROFILE, at=at)), state


@given(ACTS, st.integers(-1, 9), st.sampled_from(["requested", "deferred"]), st.integers(0, 9))
def test_being_asked_never_changes_an_answer(acts: list[Act], at: int, kind: str, when: int) -> None:
    before = asked(subject(part(profile_build=acts)), PROFILE, at=at)
    assert asked(subject(part(profile_build=[*acts, (kind, when, when)])), PROFILE, at=at) == before


@pytest.mark.parametrize("kind", ["revoked", "invalidated"])
def test_what_somebody_else_ended_is_closed_until_the_person_agrees_again(kind: str) -> None:
    ended = [*AGREED, (kind, 20, 20)]
    assert reason(asked(subject(part(profile_build=ended)), PROFILE)) is RefusalReason(kind)
    again = asked(subject(part(profile_build=[*ended, ("given", 30, 30)])), PROFILE)
    assert isinstance(again, Allowed)
