"""What validation chooses: the plan of each kind, and the weights of the blend, for each task by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.blend import Weights, kind_of, standard
from recommender.rankers import own
from recommender.rankers.protocol import Ranker
from recommender.tournament_judging import Cases, Scores, Task, all_scores, marks
from recommender.tournament_weights import weights_found

PEOPLE_MIN: Final = 20
"""With fewer people to choose or judge by, popularity is served."""
SIMPLEST: Final = "popularity"
"""The part that is always there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The labels worth fitting again, the weights for each task, NDCG@10 by task and label, and why these weights.

    Of the weights of a task the second are for where the gate refuses the first.
    """

    labels: Sequence[str]
    weights: Mapping[Task, Sequence[Weights]]
    validation: Mapping[Task, Mapping[str, float]]
    reasons: Mapping[Task, str]


def choose(rankers: Mapping[str, Ranker], cases: Mapping[Task, Cases]) -> Choice:
    """The choice among these parts, by label, by these people; a task with too few of them gets popularity."""
    validation: dict[Task, dict[str, float]] = {}
    weights: dict[Task, Sequence[Weights]] = {}
    reasons: dict[Task, str] = {}
    kept = {SIMPLEST}
    for task, asked in cases.items():
        if len(asked) < PEOPLE_MIN:
            validation[task], weights[task] = {}, [{SIMPLEST: 1.0}]
            reasons[task] = f"{SIMPLEST}: only {len(asked)} people to choose by, {PEOPLE_MIN} are needed"
            continue
        said = {label: all_scores(rankers[label], asked) for label in rankers if _answers(label, task)}
        reached = {label: round(float(marks(scores, asked).ndcg.mean()), 6) for label, scores in said.items()}
        best = _best_of_each_kind(reached)
        kept.update(best)
        *weights[task], reasons[task] = weights_found({label: _standard(said[label]) for label in best}, asked)
        validation[task] = reached
    labels = [label for label in rankers if label in kept]
    return Choice(labels=labels, weights=weights, validation=validation, reasons=reasons)


def _best_of_each_kind(reached: Mapping[str, float]) -> list[str]:
    """Of equals the first plan, which is the default."""
    kinds = dict.fromkeys(kind_of(label) for label in reached)
    return [
        max((label for label in reached if kind_of(label) == kind), key=lambda label: reached[label]) for kind in kinds
    ]


def _answers(label: str, task: Task) -> bool:
    """Own habits say nothing of what is new."""
    return task == "repeat" or kind_of(label) != own.KIND.name


def _standard(scores: Scores) -> Scores:
    return np.array([standard(row) for row in scores])
