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


def rows_of(verdict: Verdict) -> list[tuple[str, Score]]:
    """What could not be served, each part, then what is served."""
    return [*verdict.compared.items(), *verdict.parts.items(), ("served", verdict.served)]


def verdict_table(verdict: Verdict) -> Table:
    """The same to print; the best part and what is served stand out."""
    first, *others = HEAD
    table = plain_table(Column(first, no_wrap=True), *(Column(name, justify="right") for name in others))
    for label, score in rows_of(verdict):
        table.add_row(label, *figures_of(score), style="bold" if label in {verdict.best, "served"} else "")
    return table


def figures_of(score: Score) -> list[str]:
    """The columns behind the name of a part."""
    means = (score.hit_rate_at_3.mean, score.precision_at_10.mean, score.macro_recall_at_3)
    return [str(score.ndcg_at_10), *(f"{mean:.3f}" for mean in means)]


def earned_of(task: Task, outcome: Outcome) -> str:
    """Who is in the blend for the task, with which weight, and what NDCG@10 would lose without it."""
    weights = outcome.recipe.repeat if task == "repeat" else outcome.recipe.new
    earned = outcome.verdicts[task].earned
    told = [
        f"{label} {worth:.2f}" + (f" (without it {-earned[label]:+.4f})" if label in earned else "")
        for label, worth in sorted(weights.items(), key=lambda pair: -pair[1])
    ]
    return ", ".join(told)


def against(verdict: Verdict) -> list[str]:
    """How what is served does beside the best part: by whom it was chosen, and by people it was not chosen by."""
    lines = []
    if verdict.best is not None and verdict.difference is not None:
        lines.append(f"against the best part, {verdict.best}: NDCG@10 {verdict.difference:+}")
    if verdict.held_out is not None:
        held = verdict.held_out
        lines.append(
            f"held out: {held.served} served, {held.best} the best part, {held.difference:+}; "
            "each chosen by one half of the people and judged by the other"
        )
    return lines


def notes_of(outcome: Outcome) -> list[str]:
    """What validation chose, what the gate refused, and who did not take part."""
    return [*outcome.reasons, *(f"{label} did not take part: {why}" for label, why in outcome.unsuitable.items())]
