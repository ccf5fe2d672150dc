"""Before a model is fitted on everything: which one, how good it is, and what its scores are worth as probabilities.

Three stretches of time: what is fitted on, what is chosen and calibrated by, and what is judged by. Nothing of a later
one reaches an earlier one, and everybody is asked as they were known when the stretch began.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recommender.artifact import BLEND, POPULARITY
from recommender.blend import Blend, Recipe
from recommender.calibration import Calibration
from recommender.catalogue import Catalogue
from recommender.choices import History, Takings, interactions_at, taken_between
from recommender.evaluation import Served, cases_between, evaluate, gate
from recommender.interactions import Interactions
from recommender.manifest import Calibrated, Measured, Metrics, Task
from recommender.rankers.protocol import Ranker
from recommender.rankers.registry import RANKERS
from recommender.tournament import Outcome, Verdict, tournament
from recommender.tournament_judging import Score
from recommender.tournament_split import Exam, Split
from recommender.training_counts import counted
from recommender.training_making import Plan, Progress, made
from recommender.training_probabilities import NOTHING, Asked, Learnt, Moments


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Judged:
    """What to fit on everything, what to serve of it, and all there is to say of that."""

    recipe: Recipe | None = None
    ranker: str = POPULARITY
    gate: str = "too little happened to judge by"
    calibration: Calibration | None = None
    calibrated: Calibrated = NOTHING
    metrics: Mapping[str, Mapping[Task, Metrics]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    cut_off: int | None = None


def moments_of(times: Sequence[int], plan: Plan) -> Moments | None:
    """Where the stretches begin, by how many takings lie before; None where there are not three stretches of time."""
    if not times:
        return None
    choose, judge = (
        times[min(int(len(times) * share), len(times) - 1)] for share in (plan.choose_share, plan.cut_share)
    )
    if judge == times[0] or choose == judge:
        # Many takings at one moment: the last moment judges, the one before it chooses.
        distinct = sorted(set(times))
        if len(distinct) < 3:
            return None
        choose, judge = distinct[-2:]
    earlier = max((at for at in times if at < judge), default=times[0])
    return Moments(choose if choose < judge else earlier, judge, times[-1] + 1)


def judge(
    history: History, told: Takings, *, moments: Moments, catalogue: Catalogue, plan: Plan, progress: Progress
) -> Judged:
    """The tournament, the probabilities of what it found, and the gate, by the function that serves."""
    known = {
        at: interactions_at(history, catalogue=catalogue, moment=at, people_min=plan.feature_people_min)
        for at in moments[:2]
    }
    stretches = ((moments.choose, moments.judge), (moments.judge, moments.end))
    split = Split(
        validation=_exam(told, known[moments.choose], catalogue, *stretches[0]),
        test=_exam(told, known[moments.judge], catalogue, *stretches[1]),
        how="one moment for everybody",
    )
    kinds = [RANKERS[name] for name in plan.kinds]
    outcome = tournament(split, kinds=kinds, people_max=plan.judged_people_max, progress=progress)
    metrics = _told(outcome)
    left_out = dict(outcome.unsuitable)
    early, late = (_candidates(outcome.recipe, fitted) for fitted in (outcome.early, outcome.late))
    asked = Asked(history, told, catalogue, moments, plan, known)
    learnt = {label: asked.learnt(ranker) for label, ranker in early.items()}
    if any(calibration is None for calibration, _ in learnt.values()):
        return Judged(
            gate="nobody took anything to choose by", cut_off=moments.judge, metrics=metrics, left_out=left_out
        )
    served = _served(late, learnt, asked, progress=progress)
    chosen, why = gate(served, people_min=plan.judged_people_min)
    for label, found in served.items():
        metrics.setdefault(label, {})["served"] = found.metrics()
    calibration, on = learnt[chosen]
    told_later = asked.judged(late[chosen], calibration, on)
    calibration, on = asked.learnt(early[chosen], late[chosen])
    return Judged(
        recipe=None if chosen == POPULARITY else _recipe(outcome.recipe, chosen),
        ranker=chosen,
        gate="; ".join((why, *outcome.reasons)),
        calibration=calibration,
        calibrated=told_later.model_copy(update={"pairs": on.pairs, "positives": on.positives}),
        metrics=metrics,
        left_out=left_out,
        cut_off=moments.judge,
    )


def _served(
    late: Mapping[str, Blend], learnt: Mapping[str, Learnt], asked: Asked, *, progress: Progress
) -> dict[str, Served]:
    """What each candidate reaches after the cut-off, by the function that serves."""
    at, known = asked.moments.judge, asked.known[asked.moments.judge]
    cases = cases_between(
        asked.history,
        asked.told,
        catalogue=asked.catalogue,
        since=at,
        until=asked.moments.end,
        people_max=asked.plan.judged_people_max,
    )
    counts, found = counted(asked.told, known, before=at), {}
    for place, (label, ranker) in enumerate(late.items()):
        progress("serving", place, len(late))
        artifact = made(
            counts=counts,
            blend=None if label == POPULARITY else ranker,
            calibration=learnt[label][0],
            data=known,
            catalogue=asked.catalogue,
            plan=asked.plan,
        )
        found[label] = evaluate(artifact, catalogue=asked.catalogue, cases=cases, at=at)
    return found


def _exam(told: Takings, known: Interactions, catalogue: Catalogue, since: int, until: int) -> Exam:
    """What people took from `since` to before `until`."""
    column = {service: place for place, service in enumerate(known.items)}
    rows = [
        (person, item)
        for person, name in enumerate(known.people)
        for item in sorted(column[each] for each in taken_between(told[name], since=since, until=until))
    ]
    people, items = np.array(rows, np.int32).reshape(-1, 2).T
    taken_then = replace(known, person=people, item=items, at=np.full(len(items), since), weight=np.ones(len(items)))
    return Exam(
        known=known,
        taken=taken_then,
        at=np.full(len(known.people), since),
        once=np.array([not catalogue.by_id[service].repeatable for service in known.items]),
    )


def _candidates(recipe: Recipe, fitted: Mapping[str, Ranker]) -> dict[str, Blend]:
    """Popularity, each part that is worth something, and the blend of them where there are several."""
    worth = {*recipe.repeat, *recipe.new}
    alone = {
        label: Blend(parts={label: ranker}, repeat={label: 1.0}, new={label: 1.0})
        for label, ranker in fitted.items()
        if label in worth | {POPULARITY}
    }
    if len(worth) < 2:
        return alone
    chosen = {label: fitted[label] for label in sorted(worth)}
    return alone | {BLEND: Blend(parts=chosen, repeat=recipe.repeat, new=recipe.new)}


def _recipe(recipe: Recipe, label: str) -> Recipe:
    if label == BLEND:
        return recipe
    return Recipe(parts=[each for each in recipe.parts if each.label == label], repeat={label: 1.0}, new={label: 1.0})


def _told(outcome: Outcome) -> dict[str, dict[Task, Metrics]]:
    """What the tournament found of each part and task, as the manifest keeps it."""
    found: dict[str, dict[Task, Metrics]] = {}
    for task, verdict in outcome.verdicts.items():
        for label, score in {**verdict.parts, "tournament": verdict.served}.items():
            found.setdefault(label, {})[task] = _metrics(score, verdict)
    return found


def _metrics(score: Score, verdict: Verdict) -> Metrics:
    ndcg, hit = (
        Measured(value=found.mean, low=found.low, high=found.high) for found in (score.ndcg_at_10, score.hit_rate_at_3)
    )
    return Metrics(
        ndcg_at_10=ndcg,
        hit_rate_at_3=hit,
        macro_recall_at_3=score.macro_recall_at_3,
        people=verdict.people,
        targets=verdict.answers,
    )
