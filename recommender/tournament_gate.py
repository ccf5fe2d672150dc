"""The gate: nothing is served that is worse on the test than the best single part, on either task.

What is judged is the blend itself, through the function that serves.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from recommender.blend import Blend, Weights
from recommender.bootstrap import Figure, figure
from recommender.interactions import Mask
from recommender.rankers.protocol import Ranker
from recommender.tournament_choice import PEOPLE_MIN, SIMPLEST
from recommender.tournament_judging import Cases, Marks, Task, all_scores, first_half, marks

Alone = Mapping[Task, Mapping[str, Marks]]
"""The marks of each part by itself."""
ByTask = Mapping[Task, Weights]
Wanted = Mapping[Task, Sequence[Weights]]
"""Weights by task in the order in which they are to be tried."""
Reached = Callable[[ByTask], tuple[Blend, Mapping[Task, Marks]]]
"""The blend of these weights and its marks."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """NDCG@10 with people by whom nothing was chosen: of what the gate lets pass, of the best part, and between them.

    The gate is asked by each half of the people, and what it lets pass then is judged by the other half.
    """

    served: Figure
    best: Figure
    difference: Figure


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Passed:
    """What may be served, what was refused for it and why, and how the gate itself does, where people suffice."""

    contest: Contest
    reasons: list[str]
    held_out: Mapping[Task, HeldOut]


def gate(wanted: Wanted, parts: Mapping[str, Ranker], *, cases: Mapping[Task, Cases], alone: Alone) -> Passed:
    """The first of the wanted blend and what changes least that is nowhere worse than the best part.

    `alone` are the marks of each part that could be served. Where nothing is as good as the best part on both tasks,
    it is what loses least.
    """
    few = {task: [{SIMPLEST: 1.0}] for task in cases if len(cases[task]) < PEOPLE_MIN}
    reached, wanted = _remembered(parts, cases), {**wanted, **few}
    everybody = {task: np.ones(len(cases[task]), np.bool_) for task in cases if task not in few}
    contest, reasons = _decided(wanted, reached, alone=alone, among=everybody)
    said = [
        f"{task}: {SIMPLEST}, as only {len(cases[task])} people are there to judge by, {PEOPLE_MIN} are needed"
        for task in few
    ]
    first = {task: first_half(cases[task].numbers) for task in everybody}
    return Passed(
        contest=contest,
        reasons=[*said, *reasons],
        held_out=_held_out(wanted, reached, alone=alone, halves=(first, {task: ~first[task] for task in first})),
    )


def _decided(
    wanted: Wanted, reached: Reached, *, alone: Alone, among: Mapping[Task, Mask]
) -> tuple[Contest, list[str]]:
    """What passes by these people, and why what was tried before did not."""
    best = {task: _best_part(alone[task], of) for task, of in among.items()}
    tried: list[Contest] = []
    reasons: list[str] = []
    for weights in _candidates(wanted, best):
        contest = _contest(*reached(weights), alone=alone, best=best, among=among)
        if contest.passes:
            return contest, reasons
        tried.append(contest)
        reasons.append(_refused(contest))
    least = max(tried, key=lambda contest: contest.worst)
    return least, [*reasons, "nothing was as good as the best part on both tasks: served is what loses least"]


def _held_out(
    wanted: Wanted, reached: Reached, *, alone: Alone, halves: tuple[Mapping[Task, Mask], Mapping[Task, Mask]]
) -> dict[Task, HeldOut]:
    if any(of.sum() < PEOPLE_MIN for half in halves for of in half.values()):
        return {}
    served, best = ({task: np.zeros(len(of)) for task, of in halves[0].items()} for _ in range(2))
    for among, others in (halves, halves[::-1]):
        contest, _ = _decided(wanted, reached, alone=alone, among=among)
        for task, of in others.items():
            served[task][of] = contest.marks[task].ndcg[of]
            best[task][of] = alone[task][contest.best[task]].ndcg[of]
    return {
        task: HeldOut(
            served=figure(served[task]), best=figure(best[task]), difference=figure(served[task] - best[task])
        )
        for task in served
    }


def _best_part(marks_of: Mapping[str, Marks], of: Mask) -> str:
    """The part with the highest NDCG@10; of equals the simplest."""
    return max(marks_of, key=lambda label: round(float(marks_of[label].ndcg[of].mean()), 6))


def _candidates(wanted: Wanted, best: Mapping[Task, str]) -> Iterator[ByTask]:
    """Weights by task: as wanted, then with what stands in for one task, for both, and one best part for everything.

    The best part of a task is the last to stand in.
    """
    stand_ins: dict[Task, Weights] = {task: {label: 1.0} for task, label in best.items()}
    choices = [[*wanted[task], *([stand_ins[task]] if task in best else [])] for task in wanted]
    places = sorted(product(*(range(len(choice)) for choice in choices)), key=lambda each: (sum(each), each))
    mixed = ({task: choices[k][each[k]] for k, task in enumerate(wanted)} for each in places)
    seen: list[ByTask] = []
    for weights in (*mixed, *(dict.fromkeys(wanted, single) for single in stand_ins.values())):
        if weights not in seen:
            seen.append(weights)
            yield weights


def _remembered(parts: Mapping[str, Ranker], cases: Mapping[Task, Cases]) -> Reached:
    """Each blend is asked once, however often it is judged."""
    known: list[tuple[ByTask, tuple[Blend, Mapping[Task, Marks]]]] = []

    def reached(weights: ByTask) -> tuple[Blend, Mapping[Task, Marks]]:
        for asked, found in known:
            if asked == weights:
                return found
        blend = blend_of(weights, parts)
        found = (blend, {task: marks(all_scores(blend, of), of) for task, of in cases.items()})
        known.append((weights, found))
        return found

    return reached


def _contest(
    blend: Blend,
    reached: Mapping[Task, Marks],
    *,
    alone: Alone,
    best: Mapping[Task, str],
    among: Mapping[Task, Mask],
) -> Contest:
    others = {task: alone[task][label] for task, label in best.items()}
    return Contest(
        blend=blend,
        marks=reached,
        best=best,
        ndcg_won={task: figure((reached[task].ndcg - others[task].ndcg)[of]) for task, of in among.items()},
        hits_won={task: figure((reached[task].hit - others[task].hit)[of]) for task, of in among.items()},
    )


def blend_of(weights: ByTask, parts: Mapping[str, Ranker]) -> Blend:
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
