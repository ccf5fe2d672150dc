"""Traits of what the person thinks of us: NPS, CSAT, CES, reviews, answers to suggestions."""

from collections.abc import Callable
from typing import Any, Final

from consent.purposes import SERVICE
from events.feedback import SCORE_RANGE
from profiles.facet import Cell
from profiles.traits.trait import KEPT_DAYS, NOTHING, Finding, Moment, Trait, mean, share

ANSWERS: Final = ("accepted", "declined", "ignored")


def _survey(kind: str) -> Callable[[Moment], Finding]:
    def compute(moment: Moment) -> Finding:
        surveys = moment.service.surveys.values()
        sent = [
            survey
            for survey in surveys
            if survey.sent is not None and moment.covers(survey.sent) and survey.sent.value == kind
        ]
        cells = [survey.answered for survey in surveys if survey.answered is not None]
        answers = sorted(
            (cell for cell in cells if moment.covers(cell) and cell.value[0] == kind),
            key=lambda cell: (cell.at, cell.key),
        )
        if not sent and not answers:
            return NOTHING
        came_back = sum(moment.knows(survey.answered) for survey in sent)
        value = {
            "latest": answers[-1].value[1] if answers else None,
            "mean": mean([cell.value[1] for cell in answers]) if answers else None,
            "response_rate": share(came_back, len(sent)) if sent else None,
        }
        return Finding(value, len(answers), answers)

    return compute


def _review_mean(moment: Moment) -> Finding:
    posted = [review.posted for review in moment.service.reviews.values()]
    cells = [cell for cell in posted if cell is not None and moment.covers(cell)]
    return Finding(mean([cell.value[1] for cell in cells]), len(cells), cells) if cells else NOTHING


def _suggestion_answers(moment: Moment) -> Finding:
    suggestions = moment.service.suggestions.values()
    presented = [shown for each in suggestions if (shown := each.presented) is not None and moment.covers(shown)]
    answered = [said for each in suggestions if (said := each.answered) is not None and moment.covers(said)]
    if not presented and not answered:
        return NOTHING
    counts = {answer: sum(cell.value[1] == answer for cell in answered) for answer in ANSWERS}
    cells: list[Cell[Any]] = [*presented, *answered]
    return Finding({"presented": len(presented), **counts}, len(answered), cells)


SCORE_TRAITS: Final = (
    *(
        Trait(
            name=kind,
            purpose=SERVICE,
            window_days=365,
            formula=(
                f"latest and mean {kind.upper()} score ({low} to {high}); response rate: surveys sent in the window "
                "that were answered / surveys sent"
            ),
            sources=("surveys.sent", "surveys.answered"),
            compute=_survey(kind),
        )
        for kind, (low, high) in SCORE_RANGE.items()
    ),
    Trait(
        name="review_mean",
        purpose=SERVICE,
        window_days=KEPT_DAYS,
        formula="mean of the stars (1 to 5)",
        sources=("reviews.posted",),
        compute=_review_mean,
    ),
    Trait(
        name="suggestion_answers",
        purpose=SERVICE,
        window_days=365,
        formula="suggestions presented, and answered by accepted, declined, ignored",
        sources=("suggestions.presented", "suggestions.answered"),
        compute=_suggestion_answers,
    ),
)
