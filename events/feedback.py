"""Feedback: surveys, reviews, complaints, and what became of our suggestions."""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from events.service import Topics
from events.shape import Body, Code, Natural, RecordId, Text

SurveyKind = Literal["nps", "csat", "ces"]

SCORE_RANGE: Final[dict[str, tuple[int, int]]] = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
"""Lowest and highest score of each survey kind."""


class SurveySent(Body):
    """We asked for a score."""

    event_type: ClassVar[str] = "feedback.survey_sent"

    survey_id: RecordId
    kind: SurveyKind
    about: RecordId | None = None


class SurveyAnswered(Body):
    """A score came back."""

    event_type: ClassVar[str] = "feedback.survey_answered"

    survey_id: RecordId
    kind: SurveyKind
    score: Natural
    text: Text | None = None

    @model_validator(mode="after")
    def _score_is_in_range(self) -> Self:
        low, high = SCORE_RANGE[self.kind]
        if not low <= self.score <= high:
            raise ValueError(f"a {self.kind} score lies between {low} and {high}")
        return self


class ReviewPosted(Body):
    """A public review with one to five stars."""

    event_type: ClassVar[str] = "feedback.review_posted"

    review_id: RecordId
    about: RecordId | None = None
    score: Annotated[int, Field(strict=True, ge=1, le=5)]
    title: Text | None = None
    text: Text | None = None


class ComplaintFiled(Body):
    """A complaint; it stays open until the case of the same id is resolved."""

    event_type: ClassVar[str] = "feedback.complaint_filed"

    case_id: RecordId
    topics: Topics = ()
    about: RecordId | None = None
    text: Text | None = None


class SuggestionPresented(Body):
    """A suggestion was really shown or said; only this counts for caps and learning."""

    event_type: ClassVar[str] = "feedback.suggestion_presented"

    decision: RecordId
    service: Code


class SuggestionAnswered(Body):
    """What the person said to a suggestion."""

    event_type: ClassVar[str] = "feedback.suggestion_answered"

    decision: RecordId
    service: Code
    answer: Literal["accepted", "declined", "ignored"]
    reason: Code | None = None
