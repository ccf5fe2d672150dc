"""The table of purposes: what law allows, and every event type and every free text under one purpose."""

from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.matrix import JURISDICTIONS, Matrix
from consent.purposes import (
    ATTRIBUTE_PURPOSES,
    CHARACTERISTICS,
    EVENT_PURPOSES,
    FEEDBACK,
    FIELD_PURPOSES,
    LEGAL,
    OUTREACH_CHANNELS,
    OVERLAY_CLOSES,
    PROFILE,
    PURPOSES,
    SENSITIVE,
    SENSITIVE_CATEGORIES,
    SERVICE,
    SUGGEST,
    TRAIN,
    Purpose,
    PurposesInvalid,
    attribute_purpose,
    category_purpose,
    purposes_table,
)
from consent.rules import shipped_rules
from events.fact import Fact
from events.position import Position
from events.shape import Text
from events.vocabulary import BODIES
from profiles.deltas import deltas
from profiles.permitted import permitted_facts
from profiles.traits.table import TRAITS
from tests.builders import NOW, consent, examples, fact, facts
from tests.servers import ROOT


def purpose(name: str, *needs: str) -> Purpose:
    return Purpose(name=name, dpv="dpv:Purpose", data=("something",), needs=needs)


@pytest.mark.parametrize(
    ("purposes", "complaint"),
    [
        ((purpose("a", "b"),), "unknown purposes b"),
        ((purpose("a"), purpose("a")), "named twice"),
        ((purpose("a", "b"), purpose("b", "a")), "needs itself"),
        ((purpose("a", "a"),), "needs itself"),
    ],
)
def test_purposes_that_contradict_themselves_are_refused_when_they_are_listed(
    purposes: tuple[Purpose, ...], complaint: str
) -> None:
    with pytest.raises(PurposesInvalid, match=complaint):
        purposes_table(purposes)


def test_suggestions_need_the_profile_and_messages_need_suggestions() -> None:
    assert PURPOSES[SUGGEST].needs == (PROFILE, CHARACTERISTICS)
    assert all(PURPOSES[f"outreach.{channel}"].needs == (SUGGEST,) for channel in OUTREACH_CHANNELS)


def test_every_event_type_has_its_purpose_and_no_other_has_one() -> None:
    assert EVENT_PURPOSES.keys() == BODIES.keys()
    used = {*EVENT_PURPOSES.values(), *FIELD_PURPOSES.values(), *ATTRIBUTE_PURPOSES.values()}
    assert used <= PURPOSES.keys()


def test_every_trait_has_a_purpose() -> None:
    assert {trait.purpose for trait in TRAITS.values()} <= PURPOSES.keys()
    assert TRAITS


def is_free_text(hint: Any) -> bool:
    return hint == Text or (get_origin(hint) is not Annotated and any(map(is_free_text, get_args(hint))))


def test_every_free_text_is_kept_for_the_analysis_of_feedback_only() -> None:
    free_text = {
        (event_type, name)
        for event_type, body in BODIES.items()
        for name, hint in get_type_hints(body, include_extras=True).items()
        if is_free_text(hint)
    }
    assert free_text == {place for place, purpose in FIELD_PURPOSES.items() if purpose == FEEDBACK}


@pytest.mark.parametrize("event_type", sorted(BODIES))
@examples(15)
@given(data=st.data())
def test_the_fold_keeps_each_event_under_the_purposes_of_the_table(event_type: str, data: st.DataObject) -> None:
    some = data.draw(facts(event_type))
    kept = {delta.purpose for delta in deltas(some)}
    fields = {FIELD_PURPOSES[event_type, name] for name in _texts(some)}
    attributes = {attribute_purpose(name) for name in getattr(some.body, "attributes", {})}
    assert kept <= {EVENT_PURPOSES[event_type]} | fields | attributes
    assert fields | attributes <= kept


def _texts(some: Fact) -> list[str]:
    return [name for kind, name in FIELD_PURPOSES if kind == some.type and getattr(some.body, name)]


REQUIRED: dict[str, dict[str, Any]] = {
    "feedback.survey_answered": {"survey_id": "s", "kind": "nps", "score": 3},
    "feedback.review_posted": {"review_id": "r", "score": 3},
    "feedback.complaint_filed": {"case_id": "c"},
}


@pytest.mark.parametrize(("event_type", "field"), sorted(FIELD_PURPOSES))
def test_a_field_with_a_purpose_of_its_own_does_not_come_along_with_the_event(event_type: str, field: str) -> None:
    written = REQUIRED[event_type] | {field: "private words"}
    history = [
        consent("given", TRAIN, at=NOW),
        consent("given", PROFILE, at=NOW),
        fact(event_type, at=NOW + 1, **written),
    ]
    assert getattr(history[-1].body, field) == "private words"
    numbered = [(Position(1, 0, offset), each) for offset, each in enumerate(history)]
    found = list(permitted_facts(lambda: iter(numbered), purpose=TRAIN, at=NOW + 2, rules=shipped_rules()))
    assert [getattr(each.fact.body, field) for each in found if each.fact.type == event_type] == [None]


def test_what_tells_of_children_health_or_origin_is_sensitive() -> None:
    assert {attribute_purpose(name) for name in ("children", "baby", "health", "pregnant", "religion")} == {SENSITIVE}
    assert {category_purpose(category) for category in SENSITIVE_CATEGORIES} == {SENSITIVE}
    assert (category_purpose("tools"), category_purpose(None)) == (PROFILE, PROFILE)
    assert attribute_purpose("favourite_colour") == PROFILE
    assert {attribute_purpose(name) for name in ("minor", "suppressed", "restricted")} == {LEGAL}
    assert attribute_purpose("language") == SERVICE


def test_the_reference_page_names_every_purpose_and_every_field_with_one() -> None:
    page = (ROOT / "docs" / "reference" / "purposes.md").read_text(encoding="utf-8")
    rows = Matrix.load().versions[0].rows
    for each in PURPOSES.values():
        bases = " | ".join(rows[each.name][place].replace("_", " ") for place in JURISDICTIONS)
        needs = ", ".join(f"`{need}`" for need in each.needs) or "-"
        assert f"| `{each.name}` | {bases} | {needs} |" in page
    for (event_type, field), purpose_name in FIELD_PURPOSES.items():
        assert f"| `{event_type}` | `{field}` | `{purpose_name}` |" in page
    for event_type, purpose_name in EVENT_PURPOSES.items():
        assert f"| `{event_type}` | `{purpose_name}` |" in page
    for attribute, purpose_name in ATTRIBUTE_PURPOSES.items():
        assert f"| `{attribute}` | `{purpose_name}` |" in page
    for overlay in OVERLAY_CLOSES:
        assert f"| `{overlay}` |" in page
    for category in SENSITIVE_CATEGORIES:
        assert f"`{category}`" in page
