"""The tournament: every ranker fitted, plans and weights chosen on validation, the gate and the report on the test."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Final

from recommender.blend import Blend, Part, Recipe, Weights
from recommender.bootstrap import Figure
from recommender.interactions import IntArray, Interactions
from recommender.rankers.protocol import Ranker, RankerKind, Unsuitable
from recommender.rankers.registry import RANKERS
from recommender.tournament_choice import SIMPLEST, choose
from recommender.tournament_gate import HeldOut, Passed, blend_of, gate
from recommender.tournament_judging import (
    Cases,
    Marks,
    Score,
    Scores,
    Task,
    all_scores,
    cases_of,
    marks,
    repeats_share,
    summed,
)
from recommender.tournament_split import Split

Progress = Callable[[str, int, int], None]
"""Called with the step, what of it is done, and of how many."""
Told = Callable[[IntArray], Scores]
"""Scores (P x m) of the people with these rows in what was known."""
_REPEATS_MIN: Final = 0.01
"""Repeats are a task of their own where at least this share of the answers are."""
_SIDE_BY_SIDE: Final = 2
"""Kinds fitted at one time; the plans of one are not, as EASE sets the threads of linear algebra for all."""
_STEPS: Final = 100
"""Of progress, for each part."""
_CHOSEN_BY_MAX: Final = 2000
_CELLS_MAX: Final = 4_000_000
"""People asked times items, when choosing; five times that when judging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One task on the test: the score of each part by label, of the served blend, and how that does against the best.

    `compared` are those that could not be served; `validation` is the NDCG@10 plans were chosen by; `earned` is the
    NDCG@10 the served blend loses without the part. `held_out` is judged by people the gate did not choose by.
    """

    people: int
    answers: int
    parts: Mapping[str, Score]
    compared: Mapping[str, Score]
    validation: Mapping[str, float]
    served: Score
    best: str | None
    difference: Figure | None
    held_out: HeldOut | None
    earned: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is to be served, how that was found, and which parts were not for these data, with the reasons.

    `early` and `late` are the parts of the recipe as they were fitted for the validation and for the test.
    """

    recipe: Recipe
    how: str
    verdicts: Mapping[Task, Verdict]
    reasons: Sequence[str]
    unsuitable: Mapping[str, str]
    early: Mapping[str, Ranker] = field(compare=False, repr=False)
    late: Mapping[str, Ranker] = field(compare=False, repr=False)


def tournament(
    split: Split,
    *,
    kinds: Sequence[RankerKind] = tuple(RANKERS.values()),
    reported: Mapping[str, Callable[[Interactions], Told]] | None = None,
    people_max: int = 5000,
    progress: Progress = lambda _step, _done, _total: None,
) -> Outcome:
    """The blend worth serving: found on the validation of the split, judged on its test.

    `reported` are parts that could not be served, told beside the others for comparison. At most `people_max` people
    are asked, drawn by chance.
    """
    test = _with_repeats(cases_of(split.test, people_max=people_max, cells_max=5 * _CELLS_MAX))
    chosen_by = cases_of(split.validation, people_max=min(people_max, _CHOSEN_BY_MAX), cells_max=_CELLS_MAX)
    parts = [Part(kind.name, plan) for kind in kinds for plan in kind.plans]
    by_name = {kind.name: kind for kind in kinds}
    tried, unsuitable = _fitted(parts, by_name, split.validation.known, step="choosing", progress=progress)
    choice = choose(tried, {task: chosen_by[task] for task in test})
    kept = [part for part in parts if part.label in choice.labels]
    rankers, failed = _fitted(kept, by_name, split.test.known, step="judging", progress=progress)
    alone = {
        task: {label: marks(all_scores(ranker, cases), cases) for label, ranker in rankers.items()}
        for task, cases in test.items()
    }
    wanted = {task: [_of_those(each, rankers) for each in weights] for task, weights in choice.weights.items()}
    passed = gate(wanted, rankers, cases=test, alone=alone)
    blend = passed.contest.blend
    others, not_compared = _compared(reported or {}, split.test.known)
    return Outcome(
        recipe=Recipe(parts=kept, repeat=blend.repeat, new=blend.new),
        early={part.label: tried[part.label] for part in kept},
        late=rankers,
        how=split.how,
        verdicts={
            task: _verdict(task, passed, cases, alone=alone[task], validation=choice.validation[task], others=others)
            for task, cases in test.items()
        },
        reasons=[*(f"{task}: {why}" for task, why in choice.reasons.items()), *passed.reasons],
        unsuitable=unsuitable | failed | not_compared,
    )


def _of_those(weights: Weights, rankers: Mapping[str, Ranker]) -> Weights:
    """Without parts that were not for the longer data, which may leave the simplest."""
    return {label: worth for label, worth in weights.items() if label in rankers} or {SIMPLEST: 1.0}


def _with_repeats(cases: Mapping[Task, Cases]) -> dict[Task, Cases]:
    """The tasks that these answers ask for."""
    repeats = repeats_share(cases) >= _REPEATS_MIN
    kept: dict[Task, Cases] = {}
    if repeats:
        kept["repeat"] = cases["repeat"]
    if len(cases["new"]) or not repeats:
        kept["new"] = cases["new"]
    return kept


def _fitted(
    parts: Sequence[Part], kinds: Mapping[str, RankerKind], data: Interactions, *, step: str, progress: Progress
) -> tuple[dict[str, Ranker], dict[str, str]]:
    """The rankers by label, and why the others are none; kinds side by side, the plans of each one after the other."""
    shares = {part.label: 0.0 for part in parts}

    def told(label: str, done: int, total: int) -> None:
        shares[label] = done / total
        progress(f"{step}: {label}", round(_STEPS * sum(shares.values())), _STEPS * len(parts))

    def fitted(of_kind: Sequence[Part]) -> list[tuple[str, Ranker | str]]:
        return [(part.label, _fit(part, kinds[part.kind], data, told=partial(told, part.label))) for part in of_kind]

    # What takes longest begins first, beside everything else.
    groups = [[part for part in parts if part.kind == kind] for kind in reversed(list(kinds))]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        found = dict(chain.from_iterable(pool.map(fitted, groups)))
    in_order = {label: found[label] for label in shares}
    return (
        {label: ranker for label, ranker in in_order.items() if not isinstance(ranker, str)},
        {label: why for label, why in in_order.items() if isinstance(why, str)},
    )


def _fit(part: Part, kind: RankerKind, data: Interactions, *, told: Callable[[int, int], None]) -> Ranker | str:
    """The ranker, or why it is not for these data."""
    try:
        return kind.fit(data, plan=part.plan, progress=told)
    except Unsuitable as error:
        return str(error)


def _compared(
    reported: Mapping[str, Callable[[Interactions], Told]], data: Interactions
) -> tuple[dict[str, Told], dict[str, str]]:
    fitted: dict[str, Told] = {}
    unsuitable: dict[str, str] = {}
    for label, fit in reported.items():
        try:
            fitted[label] = fit(data)
        except Unsuitable as error:
            unsuitable[label] = str(error)
    return fitted, unsuitable


def _verdict(
    task: Task,
    passed: Passed,
    cases: Cases,
    *,
    alone: Mapping[str, Marks],
    validation: Mapping[str, float],
    others: Mapping[str, Told],
) -> Verdict:
    contest = passed.contest
    return Verdict(
        people=len(cases),
        answers=int(cases.right.sum()),
        parts={label: summed(found) for label, found in alone.items()},
        compared={label: summed(marks(told(cases.numbers), cases)) for label, told in others.items()},
        validation=validation,
        served=summed(contest.marks[task]),
        best=contest.best.get(task),
        difference=contest.ndcg_won.get(task),
        held_out=passed.held_out.get(task),
        earned=_earned(task, contest.blend, cases, contest.marks[task]),
    )


def _earned(task: Task, blend: Blend, cases: Cases, reached: Marks) -> dict[str, float]:
    weights: dict[Task, Weights] = {"repeat": blend.repeat, "new": blend.new}
    earned = {}
    for label in weights[task]:
        others = {other: worth for other, worth in weights[task].items() if other != label}
        if others:
            without = marks(all_scores(blend_of({**weights, task: others}, blend.parts), cases), cases)
            earned[label] = round(float((reached.ndcg - without.ndcg).mean()), 6)
    return earned
