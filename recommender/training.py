"""Training: from permitted history to an artifact. Filter first, then number; canonical order; the gate decides.

The artifact is a function of the permitted facts, the catalogue, the consent rules and the plan alone. What was counted
of people who are not permitted goes into the record beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consent.purposes import SENSITIVE, TRAIN
from consent.rules import Rules
from events.fact import Fact
from profiles.permitted import Facts, Permit, permit_at, permitted_by
from recommender.artifact import BLEND, POPULARITY, Artifact
from recommender.blend import Blend
from recommender.catalogue import Catalogue
from recommender.choices import History, histories, interactions_at, takings_told, without_sensitive
from recommender.interactions import Interactions
from recommender.rankers.protocol import Unsuitable
from recommender.training_counts import counted
from recommender.training_judging import Judged, judge, moments_of
from recommender.training_making import Plan, Progress, made, quiet
from recommender.training_record import Bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model and the record of its training: counts by reason, the snapshot (ms), and how far the log was read."""

    artifact: Artifact
    record: dict[str, object]


def train(
    facts: Facts,
    *,
    catalogue: Catalogue,
    at: int,
    code: str,
    rules: Rules,
    held: Mapping[str, frozenset[str]] | None = None,
    plan: Plan | None = None,
    progress: Progress = quiet,
) -> Trained:
    """A model from all facts of people who allow `model.train` at the snapshot `at` (ms).

    `code` names the version of this program; the door goes by `rules`; `held` are withdrawals not yet on the log.
    Progress is told of each part and step.
    """
    progress("reading", 0, 1)
    facts = Bounded(facts)
    permit = permit_at(facts, purpose=TRAIN, at=at, rules=rules, held=held or {})
    history = _permitted(facts, permit, catalogue)
    progress("reading", 1, 1)
    artifact = train_on(
        history, catalogue=catalogue, code=code, policy=rules.hash, plan=plan or Plan(), progress=progress
    )
    record: dict[str, object] = {
        "artifact": artifact.name,
        "snapshot": at,
        "people_permitted": len(permit.fields),
        "people_refused": sum(permit.refused.values()),
        "allowed_by": dict(sorted(permit.allowed.items())),
        "refused_because": dict(sorted(permit.refused.items())),
        "people_with_facts": len(history),
        "facts": sum(len(facts_of) for facts_of in history.values()),
        "ends": dict(sorted((facts.ends or {}).items())),
    }
    return Trained(artifact=artifact, record=record)


def _permitted(facts: Facts, permit: Permit, catalogue: Catalogue) -> dict[str, list[Fact]]:
    """The permitted facts by person; of those who keep `data.sensitive` closed without what tells of it."""
    return {
        person: found if SENSITIVE in permit.fields[person] else without_sensitive(found, catalogue)
        for person, found in histories(permitted_by(facts, permit)).items()
    }


def train_on(
    history: History,
    *,
    catalogue: Catalogue,
    code: str,
    policy: str = "",
    plan: Plan,
    progress: Progress = quiet,
) -> Artifact:
    """A model from permitted facts; the same facts, catalogue, code, policy and plan give the same bytes."""
    told = takings_told(history, catalogue)
    times = sorted(at for takings in told.values() for at, taken in takings for _ in taken)
    moments = moments_of(times, plan)
    if moments is None:
        judged = Judged()
    else:
        judged = judge(history, told, moments=moments, catalogue=catalogue, plan=plan, progress=progress)
    # As known after the last fact there is; the clock plays no part.
    end = max((facts[-1].effective_at for facts in history.values() if facts), default=0) + 1
    data = interactions_at(history, catalogue=catalogue, moment=end, people_min=plan.feature_people_min)
    blend, why = _fitted(judged, data, progress=progress)
    return made(
        counts=counted(told, data, before=end),
        blend=blend,
        calibration=judged.calibration,
        data=data,
        catalogue=catalogue,
        plan=plan,
        code=code,
        policy=policy,
        ranker=_shown(judged.ranker) if blend is not None else POPULARITY,
        gate=why,
        window=(times[0], times[-1]) if times else None,
        cut_off=judged.cut_off,
        examples=len(times),
        people=sum(bool(takings) for takings in told.values()),
        metrics=judged.metrics,
        left_out=judged.left_out,
        calibrated=judged.calibrated,
    )


def _fitted(judged: Judged, data: Interactions, *, progress: Progress) -> tuple[Blend | None, str]:
    """What was found worth serving, fitted on everything; None where that is popularity."""
    if judged.recipe is None:
        return None, judged.gate
    try:
        return judged.recipe.fit(data, progress=lambda done, of: progress("fitting", done, of)), judged.gate
    except Unsuitable as error:
        return None, f"the final fit: {error}"


def _shown(label: str) -> str:
    """A part by the name of its kind."""
    return label if label == BLEND else label.partition("@")[0]
