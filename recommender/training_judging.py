"""Before a model is fitted on everything: which one, how good it is, and what its scores are worth as probabilities.

Three stretches of time: what is fitted on, what is chosen and calibrated by, and what is judged by. Nothing of a later
one reaches an earlier one, and everybody is asked as they were known when the stretch began.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np

from recommender.artifact import BLEND, POPULARITY
from recommender.blend import Blend, Part, Recipe
from recommender.calibration import (
    Calibration,
    Pairs,
    brier_skill,
    calibrate,
    expected_calibration_error,
    with_answers,
)
from recommender.catalogue import Catalogue
from recommender.choices import History, Takings, interactions_at, presented_between, taken_between
from recommender.evaluation import Served, cases_between, evaluate, gate
from recommender.interactions import Interactions, Numbers
from recommender.manifest import Calibrated, Measured, Metrics, Task
from recommender.rankers.protocol import Unsuitable
from recommender.rankers.registry import RANKERS
from recommender.tournament import Outcome, Verdict, tournament
from recommender.tournament_judging import Score
from recommender.tournament_split import Exam, Split
from recommender.training_counts import counted
from recommender.training_making import Plan, Progress, made
from recommender.training_pairs import answer_pairs, choice_pairs

PATIENCE_MS: Final = 7 * 24 * 3600 * 1000
"""A suggestion that was not answered so long after it was presented was not accepted."""
ANSWERS_MIN: Final = 200
YESES_MIN: Final = 20
"""Answers, and yeses among them, from which probabilities are learnt by answers."""


class Moments(NamedTuple):
    """When choosing begins, when judging begins, and when it ends (ms); known at each is what lies before it."""

    choose: int
    judge: int
    end: int

    @property
    def horizon(self) -> int:
        """The time both stretches have."""
        return min(self.judge - self.choose, self.end - self.judge)


NOTHING: Final = Calibrated(on="nothing")


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
    try:
        early, late = (_candidates(outcome.recipe, known[at]) for at in moments[:2])
    except Unsuitable as error:
        return Judged(gate=f"popularity: {error}", cut_off=moments.judge, metrics=metrics, left_out=left_out)
    asked = _Asked(history, told, catalogue, moments, plan, known)
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
    return Judged(
        recipe=None if chosen == POPULARITY else _recipe(outcome.recipe, chosen),
        ranker=chosen,
        gate="; ".join((why, *outcome.reasons)),
        calibration=calibration,
        calibrated=asked.judged(late[chosen], calibration, on),
        metrics=metrics,
        left_out=left_out,
        cut_off=moments.judge,
    )


Learnt = tuple[Calibration | None, Calibrated]


def _served(
    late: Mapping[str, Blend], learnt: Mapping[str, Learnt], asked: "_Asked", *, progress: Progress
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


@dataclass(frozen=True, eq=False, slots=True)
class _Asked:
    """What probabilities are learnt from and judged by."""

    history: History
    told: Takings
    catalogue: Catalogue
    moments: Moments
    plan: Plan
    known: Mapping[int, Interactions]

    def learnt(self, ranker: Blend) -> "Learnt":
        """The calibration of a ranker fitted before the choosing, and what it was learnt from."""
        at, horizon = self.moments.choose, self.moments.horizon
        known = self.known[at]
        answers = self._answers(ranker, known, since=at, until=self.moments.judge)
        choices = self._choices(ranker, known, at)
        by_answers = len(answers) >= ANSWERS_MIN and YESES_MIN <= answers.yes.sum() <= len(answers) - YESES_MIN
        pairs = answers if by_answers else choices
        said = Calibrated(
            on="answers" if by_answers else "choices",
            horizon=0 if by_answers else horizon,
            pairs=len(pairs),
            positives=int(pairs.yes.sum()),
        )
        if not 0 < pairs.yes.sum() < len(pairs):
            return None, NOTHING
        found = calibrate(pairs, shares=_shares(known, self.catalogue))
        if by_answers:
            evidence = np.array([max(self.catalogue.by_id[each].prior, 1) for each in known.items], np.float64)
            found = with_answers(found, pairs, evidence=evidence)
        return found, said

    def judged(self, ranker: Blend, calibration: Calibration | None, said: Calibrated) -> Calibrated:
        """What was learnt, with how well it tells what came after the cut-off."""
        at, until = self.moments.judge, self.moments.end
        known = self.known[at]
        if calibration is None:
            return said
        if said.on == "answers":
            pairs = self._answers(ranker, known, since=at, until=until)
        else:
            pairs = self._choices(ranker, known, at)
        if not 0 < pairs.yes.sum() < len(pairs):
            return said
        told = calibration.of_pairs(pairs)
        return said.model_copy(
            update={
                "judged_pairs": len(pairs),
                "ece": round(expected_calibration_error(told, pairs.yes), 6),
                "brier_skill": round(brier_skill(told, pairs.yes), 6),
            }
        )

    def _choices(self, ranker: Blend, known: Interactions, at: int) -> Pairs:
        return choice_pairs(
            ranker,
            known,
            self.history,
            self.told,
            catalogue=self.catalogue,
            at=at,
            until=at + self.moments.horizon,
            people_max=self.plan.judged_people_max,
        )

    def _answers(self, ranker: Blend, known: Interactions, *, since: int, until: int) -> Pairs:
        presented = list(presented_between(self.history, since=since, until=until, patience=PATIENCE_MS))
        return answer_pairs(ranker, known, self.history, catalogue=self.catalogue, presented=presented)


def _exam(told: Takings, known: Interactions, catalogue: Catalogue, since: int, until: int) -> Exam:
    """What people took from `since` to before `until`, but what they had and cannot take again."""
    column = {service: place for place, service in enumerate(known.items)}
    once = {place for service, place in column.items() if not catalogue.by_id[service].repeatable}
    rows: list[tuple[int, int]] = []
    for person, name in enumerate(known.people):
        taken = taken_between(told[name], since=since, until=until)
        had = set(known.item[known.starts[person] : known.starts[person + 1]].tolist())
        rows += [(person, item) for item in sorted(column[each] for each in taken) if item not in had & once]
    people, items = np.array(rows, np.int32).reshape(-1, 2).T
    taken_then = replace(known, person=people, item=items, at=np.full(len(items), since), weight=np.ones(len(items)))
    return Exam(known=known, taken=taken_then, at=np.full(len(known.people), since))


def _candidates(recipe: Recipe, known: Interactions) -> dict[str, Blend]:
    """Popularity, each part that is worth something, and the blend of them where there are several; fitted."""
    worth = {*recipe.repeat, *recipe.new}
    parts = {part.label: part for part in (Part(POPULARITY, {}), *recipe.parts) if part.label in worth | {POPULARITY}}
    fitted = {label: part.fit(known) for label, part in parts.items()}
    alone = {
        label: Blend(parts={label: ranker}, repeat={label: 1.0}, new={label: 1.0}) for label, ranker in fitted.items()
    }
    if len(worth) < 2:
        return alone
    chosen = {label: fitted[label] for label in sorted(worth)}
    return alone | {BLEND: Blend(parts=chosen, repeat=recipe.repeat, new=recipe.new)}


def _recipe(recipe: Recipe, label: str) -> Recipe:
    if label == BLEND:
        return recipe
    return Recipe(parts=[each for each in recipe.parts if each.label == label], repeat={label: 1.0}, new={label: 1.0})


def _shares(known: Interactions, catalogue: Catalogue) -> Numbers:
    """Shares of all takings with the starting evidence, as they are served by."""
    people = np.bincount(known.taken.indices, minlength=len(known.items))
    counts = people + np.array([catalogue.by_id[service].prior for service in known.items], np.float64)
    return np.asarray(counts / (counts.sum() or 1.0))


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
