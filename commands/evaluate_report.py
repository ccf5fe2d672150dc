"""What an evaluation found, as tables for a person and as JSON for a program."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from rich.table import Column, Table

from commands.evaluate_input import Left
from commands.output import plain_table
from recommender.interactions import Interactions
from recommender.tournament import Outcome, Verdict
from recommender.tournament_judging import Score, Task

TITLES: Final[Mapping[Task, str]] = {
    "repeat": "Anything, repeats allowed",
    "new": "Only what the person never took",
}
HEAD: Final = ("part", "NDCG@10 (95 %)", "HR@3", "P@10", "recall@3")
"""Recall in the first three is averaged over services, so that two that most people take are not all of it."""


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
    """The table of one task: what could not be served, each part, then what is served."""
    scores = [*verdict.compared.items(), *verdict.parts.items(), ("served", verdict.served)]
    return [[label, *_figures(score)] for label, score in scores]


def table_of(verdict: Verdict) -> Table:
    """The same to print; the best part and what is served stand out."""
    first, *others = HEAD
    table = plain_table(Column(first, no_wrap=True), *(Column(name, justify="right") for name in others))
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
