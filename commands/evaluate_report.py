"""What an evaluation found, as tables for a person and as JSON for a program."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from rich.table import Column, Table

from commands.evaluate_input import Left
from recommender.interactions import Interactions
from recommender.tournament import Outcome, Verdict
from recommender.tournament_judging import Score, Task

TITLES: Final[Mapping[Task, str]] = {
    "repeat": "anything, repeats allowed",
    "new": "only what the person never took",
}
HEAD: Final = ("part", "validation", "NDCG@10", "HR@3", "P@10", "macro recall@3")


def said(outcome: Outcome, *, data: Interactions, left: Left) -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        "rows": len(data),
        "people": len(data.people),
        "items": len(data.items),
        "left_out": dict(left.reasons),
        "split": outcome.how,
        "served": {"repeat": dict(outcome.recipe.repeat), "new": dict(outcome.recipe.new)},
        "why": list(outcome.reasons),
        "unsuitable": dict(outcome.unsuitable),
        "tasks": {task: asdict(verdict) for task, verdict in outcome.verdicts.items()},
    }


def rows_of(verdict: Verdict) -> list[list[str]]:
    """The table of one task: each part, then what is served."""
    rows = [[label, _told(verdict.validation.get(label)), *_figures(score)] for label, score in verdict.parts.items()]
    return [*rows, ["served", "", *_figures(verdict.served)]]


def table_of(task: Task, verdict: Verdict) -> Table:
    """The same to print; the best part and what is served stand out."""
    first, *others = HEAD
    title = f"{TITLES[task]}: {verdict.people:,} people, {verdict.answers:,} answers"
    table = Table(first, *(Column(name, justify="right") for name in others), title=title, title_justify="left")
    for row in rows_of(verdict):
        table.add_row(*row, style="bold" if row[0] in {verdict.best, "served"} else "")
    return table


def earned_of(verdict: Verdict, weights: Mapping[str, float]) -> str:
    """Who is in the blend, with which weight, and what NDCG@10 would lose without it."""
    told = [
        f"{label} {worth:.2f}" + (f" (without it {-verdict.earned[label]:+.4f})" if label in verdict.earned else "")
        for label, worth in sorted(weights.items(), key=lambda pair: -pair[1])
    ]
    return ", ".join(told)


def _figures(score: Score) -> list[str]:
    means = (score.hit_rate_at_3.mean, score.precision_at_10.mean, score.macro_recall_at_3)
    return [str(score.ndcg_at_10), *(f"{mean:.3f}" for mean in means)]


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
