"""The tables of the gates, entry by entry: what is lost from one of them would be open to everyone."""

from typing import Literal

import pytest

from consent.door import Allowed, Part, permits, subject_of
from consent.matrix import EVIDENCE_GRADES
from consent.purposes import (
    ATTRIBUTE_PURPOSES,
    FEEDBACK,
    FIELD_PURPOSES,
    LEGAL,
    OVERLAY_CLOSES,
    PROFILE,
    SENSITIVE,
    SERVICE,
    attribute_purpose,
    category_purpose,
)
from consent.recording import plan_act
from consent.rules import shipped_rules
from consent.state import Grant, PurposeState
from events.acts import ConsentGiven
from events.shape import format_time
from tests.builders import DAY, NOW, PARTITIONS, pseudonym


@pytest.mark.parametrize("attribute", ["children", "baby", "health", "pregnant", "religion", "ethnicity"])
def test_what_tells_of_children_health_or_belief_needs_consent_to_that(attribute: str) -> None:
    assert attribute_purpose(attribute) == SENSITIVE


@pytest.mark.parametrize(
    "attribute",
    ["minor", "arrears", "suppressed", "restricted", "objected", "under_erasure", "contract_ended"],
)
def test_what_only_ever_restricts_is_kept_by_law(attribute: str) -> None:
    assert attribute_purpose(attribute) == LEGAL


def test_whatever_closes_purposes_is_kept_by_law() -> None:
    assert {attribute_purpose(overlay) for overlay in OVERLAY_CLOSES} == {LEGAL}


@pytest.mark.parametrize("attribute", ["language", "timezone", "country"])
def test_what_serving_a_person_takes_is_kept_for_that(attribute: str) -> None:
    assert attribute_purpose(attribute) == SERVICE


def test_every_other_attribute_needs_consent_to_a_profile() -> None:
    assert attribute_purpose("anything else") == PROFILE
    assert PROFILE not in ATTRIBUTE_PURPOSES.values()


@pytest.mark.parametrize("category", ["baby", "pharmacy", "health"])
def test_goods_that_tell_of_children_or_health_need_consent_to_that(category: str) -> None:
    assert category_purpose(category) == SENSITIVE


@pytest.mark.parametrize("category", ["grocery", None])
def test_all_other_goods_need_consent_to_a_profile(category: str | None) -> None:
    assert category_purpose(category) == PROFILE


@pytest.mark.parametrize(
    "field",
    [
        ("feedback.survey_answered", "text"),
        ("feedback.review_posted", "title"),
        ("feedback.review_posted", "text"),
        ("feedback.complaint_filed", "text"),
    ],
)
def test_whatever_a_person_wrote_needs_consent_to_its_analysis(field: tuple[str, str]) -> None:
    assert FIELD_PURPOSES[field] == FEEDBACK


@pytest.mark.parametrize("occurred_at", [NOW - 9 * DAY, NOW + DAY // 2])
def test_a_yes_may_have_ended_before_it_was_heard_of_but_not_before_it_began(occurred_at: int) -> None:
    began = min(occurred_at, NOW)

    def planned(expires_at: int) -> object:
        said = {"purpose": PROFILE, "act_id": "act-1", "expires_at": format_time(expires_at)}
        body = ConsentGiven.model_validate(said)
        return plan_act(
            body,
            identities=[pseudonym("app:42")],
            source="crm",
            occurred_at=occurred_at,
            received_at=NOW,
            partitions=PARTITIONS,
        )

    assert getattr(planned(began), "code", None) == "bad_time"
    assert getattr(planned(began + 1), "code", None) is None


@pytest.mark.parametrize("grade", EVIDENCE_GRADES)
def test_a_yes_of_every_grade_of_evidence_is_told_with_it(grade: Literal["demo", "imported", "recorded"]) -> None:
    state = PurposeState(grants=(Grant(NOW - DAY, NOW - DAY, 0, b"12345678", grade),))
    who = subject_of(
        parts=(Part(pseudonym("app:42"), {PROFILE: state}),), jurisdiction="EU", read_at=NOW, rules=shipped_rules()
    )

    answer = permits(who, PROFILE, at=NOW, known_at=NOW)

    assert isinstance(answer, Allowed)
    assert answer.because.evidence == grade


def test_the_grades_of_evidence_are_these_the_weakest_first() -> None:
    assert EVIDENCE_GRADES == ("demo", "imported", "recorded")


def test_a_form_is_asked_for_only_where_agreeing_takes_more_than_an_act() -> None:
    purposes = (SENSITIVE, PROFILE, LEGAL, "no.such")
    assert [shipped_rules().needs_form(purpose, now=NOW) for purpose in purposes] == [True, False, False, False]
