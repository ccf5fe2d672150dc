"""The gate: nothing is served that is worse on the test than the best single part, on either task.

What is judged is the blend itself, through the function that serves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recommender.blend import Blend, Weights
from recommender.bootstrap import Figure, figure
from recommender.rankers.protocol import Ranker
from recommender.tournament_choice import PEOPLE_MIN, SIMPLEST
from recommender.tournament_judging import Cases, Marks, Task, all_scores, marks

Alone = Mapping[Task, Mapping[str, Marks]]
"""The marks of each part by itself."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Contest:
    """A blend against the best part of each task: its marks, and NDCG@10 and hit rate won or lost, person by person."""

    blend: Blend
    marks: Mapping[Task, Marks]
    best: Mapping[Task, str]
    ndcg_won: Mapping[Task, Figure]
    hits_won: Mapping[Task, Figure]

    @property
    def worst(self) -> float:
        """The mean NDCG@10 won on the task where that is least."""
        return min((figure.mean for figure in self.ndcg_won.values()), default=0.0)

    @property
    def passes(self) -> bool:
        """On no task fewer points, nor clearly fewer hits."""
        return self.worst >= 0 and all(figure.high >= 0 for figure in self.hits_won.values())


def best_part(marks_of: Mapping[str, Marks]) -> str:
    """The part with the highest NDCG@10; of equals the simplest."""
    return max(marks_of, key=lambda label: round(float(marks_of[label].ndcg.mean()), 6))


def gate(
    wanted: Mapping[Task, Weights], parts: Mapping[str, Ranker], *, cases: Mapping[Task, Cases], alone: Alone
) -> tuple[Contest, list[str]]:
    """What may be served, and what was refused for it and why.

    `alone` are the marks of each part that could be served. Tried after the wanted blend is what changes least; where
    nothing is as good as the best part on both tasks, it is what loses least.
    """
    judged = [task for task in cases if len(cases[task]) >= PEOPLE_MIN]
    best = {task: best_part(alone[task]) for task in judged}
    few = {task: {SIMPLEST: 1.0} for task in cases if task not in judged}
    reasons = [
        f"{task}: {SIMPLEST}, as only {len(cases[task])} people are there to judge by, {PEOPLE_MIN} are needed"
        for task in few
    ]
    tried: list[Contest] = []
    for weights in _candidates({**wanted, **few}, best):
        contest = _contest(weights, parts, cases=cases, alone=alone, best=best)
        if contest.passes:
            return contest, reasons
        tried.append(contest)
        reasons.append(_refused(contest))
    least = max(tried, key=lambda contest: contest.worst)
    return least, [*reasons, "nothing was as good as the best part on both tasks: served is what loses least"]


def _candidates(wanted: Mapping[Task, Weights], best: Mapping[Task, str]) -> Iterator[Mapping[Task, Weights]]:
    """Weights by task: as wanted, then the best part for one task, for both, and one best part for everything."""
    stand_ins: dict[Task, Weights] = {task: {label: 1.0} for task, label in best.items()}
    seen: list[Mapping[Task, Weights]] = []
    mixed = [{**wanted, **{task: stand_ins[task] for task in some}} for some in _subsets(list(stand_ins))]
    for weights in (*mixed, *(dict.fromkeys(wanted, single) for single in stand_ins.values())):
        if weights not in seen:
            seen.append(weights)
            yield weights


def _subsets(tasks: list[Task]) -> list[list[Task]]:
    return [[], *([task] for task in tasks), *([tasks] if len(tasks) > 1 else [])]


def _contest(
    weights: Mapping[Task, Weights],
    parts: Mapping[str, Ranker],
    *,
    cases: Mapping[Task, Cases],
    alone: Alone,
    best: Mapping[Task, str],
) -> Contest:
    blend = blend_of(weights, parts)
    reached = {task: marks(all_scores(blend, asked), asked) for task, asked in cases.items()}
    return Contest(
        blend=blend,
        marks=reached,
        best=best,
        ndcg_won={task: figure(reached[task].ndcg - alone[task][label].ndcg) for task, label in best.items()},
        hits_won={task: figure(reached[task].hit - alone[task][label].hit) for task, label in best.items()},
    )


def blend_of(weights: Mapping[Task, Weights], parts: Mapping[str, Ranker]) -> Blend:
    """The blend of fitted parts; a task without weights of its own has those of the other."""
    [some, *_] = weights.values()
    repeat, new = weights.get("repeat", some), weights.get("new", some)
    worth = {label: parts[label] for label in parts if label in {*repeat, *new}}
    return Blend(parts=worth, repeat=repeat, new=new)


def _refused(contest: Contest) -> str:
    weights: dict[Task, Weights] = {"repeat": contest.blend.repeat, "new": contest.blend.new}
    said = [
        f"{task}: {_named(weights[task])} NDCG@10 {won.mean:+.4f} against {contest.best[task]}"
        f" ({won.low:+.4f} to {won.high:+.4f})"
        for task, won in contest.ndcg_won.items()
    ]
    return f"the gate refused {'; '.join(said)}"


def _named(weights: Weights) -> str:
    return " + ".join(f"{worth:.2f} {label}" for label, worth in weights.items())
