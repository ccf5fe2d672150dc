"""The door: closed unless an act, a contract or the law opens it, and it says why."""

import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from consent.door import (
    FRESH_FOR_MS,
    Allowed,
    Because,
    Part,
    RefusalReason,
    Refused,
    Subject,
    combined,
    permits,
    subject_of,
)
from consent.matrix import DEFAULT_MATRIX, Matrix
from consent.purposes import (
    ALWAYS_OPEN,
    ANALYTICS,
    CHARACTERISTICS,
    FEEDBACK,
    LEGAL,
    OUTREACH_CHANNELS,
    OVERLAY_CLOSES,
    PROFILE,
    PURPOSES,
    SENSITIVE,
    SERVICE,
    SHARE,
    SUGGEST,
    Overlay,
)
from consent.rules import Rules, shipped_rules
from consent.state import Grant, PurposeState
from tests.consent.test_states import ACTS, NO_KINDS, Act, key_of, state_after

NOW = 1_000
EMAIL = f"outreach.{OUTREACH_CHANNELS[0]}"
UNASKED = {SERVICE, LEGAL, CHARACTERISTICS}
"""Open to a person who never said anything: contract, law, and the switch that nobody turned."""
YES: Act = ("given", 10, 10)
NO: Act = ("withdrawn", 20, 20)
LATER_YES: Act = ("given", 30, 30)


def part(name: str = "app:a", *, held: frozenset[str] = frozenset(), **acts: list[Act]) -> Part:
    """A part by purpose, with `_` for the dot: part(profile_build=[YES])."""
    return Part(name, {purpose.replace("_", ".", 1): state_after(said) for purpose, said in acts.items()}, held)


def everything(name: str = "app:a", *, held: frozenset[str] = frozenset()) -> Part:
    return Part(name, {purpose: state_after([YES]) for purpose in PURPOSES}, held)


def subject(
    *parts: Part,
    restricting: tuple[Part, ...] = (),
    overlays: frozenset[Overlay] = frozenset(),
    jurisdiction: str | None = "EU",
    rules: Rules | None = None,
) -> Subject:
    return subject_of(
        parts=parts,
        restricting=restricting,
        overlays=overlays,
        jurisdiction=jurisdiction,
        read_at=NOW,
        rules=rules or shipped_rules(),
    )


def asked(who: Subject, purpose: str, *, at: int = NOW, known_at: int = NOW) -> Allowed | Refused:
    return permits(who, purpose, at=at, known_at=known_at)


def reason(answer: Allowed | Refused) -> RefusalReason | None:
    return answer.because if isinstance(answer, Refused) else None


def open_purposes(who: Subject) -> set[str]:
    return {purpose for purpose in PURPOSES if asked(who, purpose)}


# What others got wrong: each of these opened a door somewhere.


@pytest.mark.parametrize("jurisdiction", ["EU", "CN", None, "US"])
@pytest.mark.parametrize("states", [{}, {PROFILE: PurposeState()}], ids=["no record", "an empty record"])
def test_without_a_record_only_the_contract_and_the_law_are_served(
    states: Mapping[str, PurposeState], jurisdiction: str | None
) -> None:
    who = subject(Part("app:a", states), jurisdiction=jurisdiction)
    assert open_purposes(who) == UNASKED | ({ANALYTICS} if jurisdiction == "EU" else set())
    assert reason(asked(who, PROFILE)) is RefusalReason.NEVER_ASKED


@pytest.mark.parametrize("purpose", ["", "profile", "profile.build ", "PROFILE.BUILD", "outreach.pigeon", "*"])
def test_an_unknown_purpose_is_refused_even_with_a_yes_on_record(purpose: str) -> None:
    who = subject(Part("app:a", {purpose: state_after([YES])}))
    assert reason(asked(who, purpose)) is RefusalReason.UNKNOWN_PURPOSE


def test_what_cannot_be_read_is_refused_for_everything() -> None:
    unreadable = subject_of(parts=(everything(),), readable=False, read_at=NOW, rules=shipped_rules())
    nobody = subject()
    for who in (unreadable, nobody):
        assert {reason(asked(who, purpose)) for purpose in PURPOSES} == {RefusalReason.UNREADABLE}


def test_a_reading_too_old_to_decide_on_is_refused() -> None:
    who = subject(everything())
    assert asked(who, PROFILE, known_at=NOW + FRESH_FOR_MS)
    assert reason(asked(who, PROFILE, known_at=NOW + FRESH_FOR_MS + 1)) is RefusalReason.STALE
    assert reason(asked(who, SERVICE, known_at=NOW + FRESH_FOR_MS + 1)) is RefusalReason.STALE


def test_the_end_of_a_yes_is_seen_when_it_is_read_and_needs_no_job() -> None:
    who = subject(part(profile_build=[("given", 10, 10, 500)]))
    assert asked(who, PROFILE, at=499)
    assert reason(asked(who, PROFILE, at=500)) is RefusalReason.EXPIRED


def test_a_yes_taken_back_and_never_having_been_asked_are_told_apart() -> None:
    assert reason(asked(subject(part(profile_build=[YES, NO])), PROFILE)) is RefusalReason.WITHDRAWN
    assert reason(asked(subject(part(profile_build=[("refused", 5, 5)])), PROFILE)) is RefusalReason.REFUSED
    assert reason(asked(subject(part()), PROFILE)) is RefusalReason.NEVER_ASKED


def test_a_no_is_a_no_although_an_older_yes_arrives_after_it() -> None:
    late: Act = ("given", 10, 30)
    assert reason(asked(subject(part(profile_build=[NO, late])), PROFILE)) is RefusalReason.CONFLICTING


def test_a_yes_at_the_very_time_of_a_no_is_refused() -> None:
    for yes in (("given", 20, 30), ("given", 30, 20), ("given", 20, 20)):
        assert reason(asked(subject(part(profile_build=[NO, yes])), PROFILE)) is RefusalReason.CONFLICTING


def test_a_yes_for_later_or_not_yet_heard_of_does_not_open() -> None:
    who = subject(part(profile_build=[LATER_YES]))
    assert reason(asked(who, PROFILE, at=29)) is RefusalReason.NEVER_ASKED
    assert reason(asked(who, PROFILE, known_at=29)) is RefusalReason.NEVER_ASKED
    assert asked(who, PROFILE, at=30, known_at=30)


def test_one_purpose_agreed_to_opens_no_other() -> None:
    for purpose in PURPOSES.keys() - UNASKED - {ANALYTICS}:
        opened = open_purposes(subject(Part("app:a", {purpose: state_after([YES])}))) - UNASKED - {ANALYTICS}
        assert opened == ({purpose} if not PURPOSES[purpose].needs else set())


def test_an_answer_counts_as_what_it_is_in_a_condition() -> None:
    assert bool(Allowed(Because(basis="consent"))) is True
    assert bool(Refused(RefusalReason.HELD, "held")) is False


def test_a_subject_is_not_made_by_hand() -> None:
    with pytest.raises(TypeError, match="subject_of"):
        Subject(
            parts=(everything(),),
            restricting=(),
            overlays=frozenset(),
            jurisdiction="EU",
            readable=True,
            read_at=NOW,
            rules=shipped_rules(),
            seal=object(),
        )


# Needs, overlays, bases, holds.


def test_a_suggestion_needs_the_profile_and_a_message_needs_the_suggestion() -> None:
    yes = {PROFILE: state_after([YES]), SUGGEST: state_after([YES]), EMAIL: state_after([YES])}
    assert asked(subject(Part("app:a", yes)), EMAIL)
    for missing in (PROFILE, SUGGEST):
        without = {purpose: state for purpose, state in yes.items() if purpose != missing}
        assert reason(asked(subject(Part("app:a", without)), EMAIL)) is RefusalReason.NEEDS
    answer = asked(subject(Part("app:a", {SUGGEST: state_after([YES])})), SUGGEST)
    assert answer.because is RefusalReason.NEEDS
    assert "profile.build: never_asked" in answer.detail


def test_a_no_to_the_own_purpose_is_told_before_a_missing_need() -> None:
    assert reason(asked(subject(part(suggest_personal=[YES, NO])), SUGGEST)) is RefusalReason.WITHDRAWN


def test_an_answer_names_every_act_it_rests_on_and_the_weakest_proof() -> None:
    weak = PurposeState(grants=(Grant(10, 10, 0, b"imported", "imported"),))
    who = subject(Part("app:a", {PROFILE: weak, SUGGEST: state_after([YES])}))
    answer = asked(who, SUGGEST)
    assert answer == Allowed(Because(basis="consent", relied_on=(key_of(YES), b"imported"), evidence="imported"))
    assert asked(who, SERVICE) == Allowed(Because(basis="contract"))
    assert asked(who, LEGAL) == Allowed(Because(basis="legal_obligation"))


def test_an_answer_tells_what_the_purpose_rests_on_and_not_what_it_needs_does() -> None:
    content = yaml.safe_load(DEFAULT_MATRIX.read_bytes())
    content["versions"][0]["rows"][EMAIL]["EU"] = "legitimate_interest"
    content["versions"][0]["assessments"][EMAIL] = "lia-email-1"
    rules = Rules(Matrix.of(content), shipped_rules().notices)

    answer = asked(subject(part(profile_build=[YES], suggest_personal=[YES]), rules=rules), EMAIL)

    assert answer == Allowed(Because(basis="legitimate_interest", relied_on=(key_of(YES),), evidence="recorded"))


def test_an_unknown_grade_of_proof_proves_nothing() -> None:
    odd = PurposeState(grants=(Grant(10, 10, 0, b"odd", "hearsay"),))
    assert reason(asked(subject(Part("app:a", {PROFILE: odd})), PROFILE)) is RefusalReason.EVIDENCE


MESSAGES = {f"outreach.{channel}" for channel in OUTREACH_CHANNELS}
CLOSED_BY: Mapping[Overlay, Collection[str]] = {
    "under_erasure": PURPOSES.keys() - {LEGAL},
    "restricted": PURPOSES.keys() - {SERVICE, LEGAL},
    "objected": {SUGGEST, ANALYTICS, *MESSAGES},
    "suppressed": MESSAGES,
    "minor": PURPOSES.keys() - {SERVICE, LEGAL, CHARACTERISTICS, ANALYTICS},
    "contract_ended": {SERVICE},
}


def test_there_is_no_overlay_that_closes_nothing() -> None:
    assert CLOSED_BY.keys() == OVERLAY_CLOSES.keys() == set(get_args(Overlay))


@pytest.mark.parametrize("overlay", sorted(CLOSED_BY))
def test_an_overlay_closes_its_purposes_whatever_was_agreed_to(overlay: Overlay) -> None:
    who = subject(everything(), overlays=frozenset({overlay}))
    assert open_purposes(who) == PURPOSES.keys() - CLOSED_BY[overlay]
    assert {reason(asked(who, purpose)) for purpose in CLOSED_BY[overlay]} == {RefusalReason(overlay)}


def test_of_two_overlays_the_one_that_closes_more_is_told() -> None:
    who = subject(everything(), overlays=frozenset({"minor", "under_erasure"}))
    assert reason(asked(who, SUGGEST)) is RefusalReason.UNDER_ERASURE


def test_legitimate_interest_needs_no_yes_and_bears_no_no() -> None:
    assert asked(subject(part()), ANALYTICS) == Allowed(Because(basis="legitimate_interest"))
    assert reason(asked(subject(part(analytics_aggregate=[NO])), ANALYTICS)) is RefusalReason.WITHDRAWN
    again = asked(subject(part(analytics_aggregate=[NO, LATER_YES])), ANALYTICS)
    assert isinstance(again, Allowed)
    assert again.because.relied_on == (key_of(LATER_YES),)
    for jurisdiction in ("CN", None, "US"):
        assert reason(asked(subject(part(), jurisdiction=jurisdiction), ANALYTICS)) is RefusalReason.NEVER_ASKED


@pytest.mark.parametrize("is_restricting", [False, True])
def test_a_hold_on_any_identity_closes_the_purpose_and_what_needs_it(is_restricting: bool) -> None:  # noqa: FBT001
    held = Part("phone:b", {}, frozenset({PROFILE}))
    who = subject(everything(), restricting=(held,)) if is_restricting else subject(everything(), held)
    assert reason(asked(who, PROFILE)) is RefusalReason.HELD
    assert reason(asked(who, SUGGEST)) is RefusalReason.NEEDS
    assert asked(who, SENSITIVE)


def test_a_hold_that_outlives_the_fold_of_its_no_does_not_hide_that_the_no_stands() -> None:
    held = frozenset({PROFILE})
    assert reason(asked(subject(part(profile_build=[YES, NO], held=held)), PROFILE)) is RefusalReason.WITHDRAWN
    assert reason(asked(subject(part(profile_build=[NO, LATER_YES], held=held)), PROFILE)) is RefusalReason.HELD
    assert reason(asked(subject(part(held=held)), PROFILE)) is RefusalReason.HELD, "nobody was asked before"


@pytest.mark.parametrize(
    ("yes", "no", "because"),
    [
        (("given", 25, 30), ("withdrawn", 20, 100), RefusalReason.CONFLICTING),
        (("given", 10, 100), ("withdrawn", 20, 30), RefusalReason.CONFLICTING),
        (("given", 20, 30), ("withdrawn", 20, 100), RefusalReason.CONFLICTING),
        (("given", 10, 30), ("withdrawn", 20, 30), RefusalReason.CONFLICTING),
        (("given", 10, 20), ("withdrawn", 20, 30), RefusalReason.WITHDRAWN),
    ],
)
def test_a_yes_contradicts_a_no_that_it_does_not_precede_in_both_times(yes: Act, no: Act, because: str) -> None:
    assert reason(asked(subject(part(profile_build=[yes, no])), PROFILE)) is because


def test_a_hold_closes_legitimate_interest_and_never_the_contract() -> None:
    who = subject(Part("app:a", {}, frozenset(PURPOSES)))
    assert open_purposes(who) == ALWAYS_OPEN
    assert reason(asked(who, ANALYTICS)) is RefusalReason.HELD


# One person of many identities.


def test_an_identity_that_never_spoke_has_no_veto() -> None:
    assert asked(subject(part(profile_build=[YES]), part("phone:b"), part("card:c")), PROFILE)


def test_a_no_on_any_identity_denies_all_until_a_later_yes_on_any() -> None:
    one, other = part(profile_build=[YES]), part("phone:b", profile_build=[NO])
    assert reason(asked(subject(one, other), PROFILE)) is RefusalReason.WITHDRAWN
    assert asked(subject(part(profile_build=[LATER_YES]), other), PROFILE)
    assert asked(subject(one, other, part("card:c", profile_build=[LATER_YES])), PROFILE)


def test_an_identity_linked_by_half_can_close_and_never_open() -> None:
    silent = part()
    assert not asked(subject(silent, restricting=(everything("phone:b"),)), PROFILE)
    half = part("phone:b", profile_build=[NO, LATER_YES])
    assert reason(asked(subject(part(profile_build=[YES]), restricting=(half,)), PROFILE)) is RefusalReason.WITHDRAWN
    assert asked(subject(part(profile_build=[("given", 40, 40)]), restricting=(half,)), PROFILE)


PARTS = st.lists(ACTS, min_size=1, max_size=4)


def subject_saying(parts: list[list[Act]], restricting: list[list[Act]]) -> Subject:
    return subject(
        *(part(f"app:{n}", profile_build=acts) for n, acts in enumerate(parts)),
        restricting=tuple(part(f"phone:{n}", profile_build=acts) for n, acts in enumerate(restricting)),
    )


@given(PARTS, st.lists(ACTS, max_size=2), st.integers(-1, 9))
def test_a_merge_never_opens_what_no_identity_had_open(
    parts: list[list[Act]], restricting: list[list[Act]], at: int
) -> None:
    if asked(subject_saying(parts, restricting), FEEDBACK, at=at):
        pytest.fail("nobody agreed to that")
    if asked(subject_saying(parts, restricting), PROFILE, at=at):
        assert any(asked(subject_saying([acts], []), PROFILE, at=at) for acts in parts)


@given(PARTS, st.lists(ACTS, max_size=2), st.integers(-1, 9))
def test_a_person_of_many_identities_is_answered_like_one_who_said_it_all_on_one(
    parts: list[list[Act]], restricting: list[list[Act]], at: int
) -> None:
    noes = [act for acts in restricting for act in acts if act[0] in NO_KINDS]
    one = subject_saying([[act for acts in parts for act in acts] + noes], [])
    many = subject_saying(parts, restricting)
    assert combined(many, PROFILE) == combined(one, PROFILE)
    assert asked(many, PROFILE, at=at) == asked(one, PROFILE, at=at)


@given(PARTS, st.lists(ACTS, max_size=2), st.randoms(use_true_random=False), st.integers(-1, 9))
def test_neither_order_nor_repetition_changes_an_answer(
    parts: list[list[Act]], restricting: list[list[Act]], chance: random.Random, at: int
) -> None:
    said = asked(subject_saying(parts, restricting), PROFILE, at=at)
    mixed = [[*acts, *acts] for acts in parts]
    for acts in mixed:
        chance.shuffle(acts)
    chance.shuffle(mixed)
    assert asked(subject_saying(mixed, restricting[::-1]), PROFILE, at=at) == said


@given(PARTS, st.integers(-1, 9))
def test_nothing_that_closes_ever_opens(parts: list[list[Act]], at: int) -> None:
    plain = subject_saying(parts, [])
    closing = [
        replace(plain, overlays=frozenset({"restricted"})),
        replace(plain, restricting=(part("phone:z", held=frozenset({PROFILE})),)),
        replace(plain, readable=False),
        replace(plain, jurisdiction=None),
    ]
    for who in closing:
        for purpose in (PROFILE, SHARE, ANALYTICS):
            assert asked(plain, purpose, at=at) or not asked(who, purpose, at=at)
