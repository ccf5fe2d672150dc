"""Training: from permitted history to an artifact. Filter first, then number; canonical order; the gate decides.

The artifact is a function of the permitted facts, the catalogue and the plan alone. What was counted of people who
are not permitted goes into the record beside it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from consent.purposes import SENSITIVE, TRAIN
from consent.rules import Rules
from profiles.permitted import Facts, permit_at, permitted_by
from recommender.artifact import Artifact, Floats, Metrics, RankerName, make_artifact
from recommender.catalogue import Catalogue
from recommender.choices import Choice, History, choices, histories, without_sensitive
from recommender.evaluation import cases_after, evaluate, gate
from recommender.lightfm_ranker import Example, Fit, ModelDiverged, Representations, fit_lightfm
from recommender.reasons import COMPANIONS_MIN

Progress = Callable[[str, int, int], None]
"""Called with the step, what of it is done, and of how many."""


def quiet(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to train and judge.

    A feature is used when at least `feature_people_min` people have it; the newest choices beyond `cut_share` of all
    are kept back to judge by, on at least `judged_people_min` people.
    """

    fit: Fit = field(default_factory=Fit)
    feature_people_min: int = 5
    cut_share: float = 0.8
    judged_people_min: int = 20
    judged_people_max: int = 2000

    def said(self) -> dict[str, int | float]:
        """As it stands in the manifest."""
        fit = {name: getattr(self.fit, name) for name in Fit.__slots__}
        own = {name: getattr(self, name) for name in type(self).__slots__ if name != "fit"}
        return dict(sorted({**fit, **own}.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model and the record of its training: counts, of refused people too, and the snapshot (ms)."""

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
    Progress is told per epoch.
    """
    progress("reading", 0, 1)
    permit = permit_at(facts, purpose=TRAIN, at=at, rules=rules, held=held or {})
    history = {
        person: found if SENSITIVE in permit.fields[person] else without_sensitive(found, catalogue)
        for person, found in histories(permitted_by(facts, permit)).items()
    }
    progress("reading", 1, 1)
    artifact = train_on(history, catalogue=catalogue, code=code, plan=plan or Plan(), progress=progress)
    record: dict[str, object] = {
        "artifact": artifact.name,
        "snapshot": at,
        "people_permitted": len(permit.fields),
        "people_refused": permit.refused,
        "people_with_facts": len(history),
        "facts": sum(len(facts_of) for facts_of in history.values()),
    }
    return Trained(artifact=artifact, record=record)


def train_on(history: History, *, catalogue: Catalogue, code: str, plan: Plan, progress: Progress = quiet) -> Artifact:
    """A model from permitted facts; the same facts, catalogue, code and plan give the same bytes."""
    made = choices(history, catalogue)
    cut_off, metrics = _judged(made, history, catalogue=catalogue, code=code, plan=plan, progress=progress)
    better, why = gate(metrics, people_min=plan.judged_people_min)
    final = _fitted(made, catalogue=catalogue, code=code, plan=plan, step="fitting", progress=progress)
    if better and final.manifest.ranker == "popularity":
        why = "the final fit diverged"
    ranker: RankerName = "lightfm" if better and final.manifest.ranker == "lightfm" else "popularity"
    return _said(final, ranker=ranker, gate=why, cut_off=cut_off, metrics=metrics)


def _judged(
    made: Sequence[Choice], history: History, *, catalogue: Catalogue, code: str, plan: Plan, progress: Progress
) -> tuple[int | None, dict[RankerName, Metrics]]:
    """The temporal cut-off, and how each ranker that was fitted before it does after it."""
    times = sorted(choice.at for choice in made)
    if not times or times[0] == times[-1]:
        return None, {}
    cut_off = times[min(int(len(times) * plan.cut_share), len(times) - 1)]
    before = [choice for choice in made if choice.at < cut_off]
    cases = cases_after(made, history, cut_off=cut_off, people_max=plan.judged_people_max)
    fitted = _fitted(before, catalogue=catalogue, code=code, plan=plan, step="judging", progress=progress)
    rankers: tuple[RankerName, ...] = ("popularity", "lightfm")
    metrics: dict[RankerName, Metrics] = {}
    for ranker in rankers[: 2 if fitted.manifest.ranker == "lightfm" else 1]:
        served = _said(fitted, ranker=ranker)
        metrics[ranker] = evaluate(served, catalogue=catalogue, cases=cases, at=cut_off)
    return cut_off, metrics


def _fitted(
    made: Sequence[Choice], *, catalogue: Catalogue, code: str, plan: Plan, step: str, progress: Progress
) -> Artifact:
    """Everything counted and fitted on the choices; its ranker is `popularity` where no model came of it."""
    services = tuple(sorted(catalogue.by_id))
    features = _features(made, people_min=plan.feature_people_min)
    try:
        found = _representations(made, catalogue, features, plan.fit, lambda done, of: progress(step, done, of))
    except ModelDiverged:
        found = None
    if found is None:
        features = ()
        found = _no_representations(len(services))
    ranker: RankerName = "lightfm" if features else "popularity"
    return make_artifact(
        arrays={
            "items": found.items,
            "biases": found.biases,
            "features": found.features,
            "popularity": _popularity(made, services),
            "companions": _companions(made, services),
        },
        code=code,
        catalogue=catalogue.hash,
        ranker=ranker,
        gate="",
        window=(min(c.at for c in made), max(c.at for c in made)) if made else None,
        cut_off=None,
        examples=len(made),
        people=len({choice.person for choice in made}),
        plan=plan.said(),
        metrics={},
        services=services,
        features=features,
    )


def _said(artifact: Artifact, **said: Any) -> Artifact:
    """The artifact with other things said in its manifest."""
    return replace(artifact, manifest=artifact.manifest.model_copy(update=said))


def _features(made: Sequence[Choice], *, people_min: int) -> tuple[str, ...]:
    """The names enough people have; a rarer one could tell who somebody is."""
    people: dict[str, set[str]] = {}
    for choice in made:
        for name, _ in choice.features:
            people.setdefault(name, set()).add(choice.person)
    return tuple(sorted(name for name, having in people.items() if len(having) >= people_min))


def _representations(
    made: Sequence[Choice],
    catalogue: Catalogue,
    features: Sequence[str],
    fit: Fit,
    progress: Callable[[int, int], None],
) -> Representations | None:
    if not features:
        return None
    services = sorted(catalogue.by_id)
    row = {service: place for place, service in enumerate(services)}
    column = {name: place for place, name in enumerate(features)}
    examples = [
        Example(
            features=tuple((column[name], weight) for name, weight in choice.features if name in column),
            item=row[choice.service],
        )
        for choice in made
    ]
    described = [_item_features(catalogue, service) for service in services]
    names = sorted({name for own in described for name in own})
    item_column = {name: place for place, name in enumerate(names)}
    return fit_lightfm(
        examples,
        item_features=[[item_column[name] for name in own] for own in described],
        feature_count=len(features),
        fit=fit,
        progress=progress,
    )


def _item_features(catalogue: Catalogue, service_id: str) -> list[str]:
    service = catalogue.by_id[service_id]
    own = {f"issue:{service.issue}", f"group:{service.group}", *(f"feature:{name}" for name in service.features)}
    return sorted(own)


def _no_representations(services: int) -> Representations:
    empty = np.zeros((0, 0), np.float32)
    return Representations(
        items=np.zeros((services, 0), np.float32), biases=np.zeros(services, np.float32), features=empty
    )


def _popularity(made: Sequence[Choice], services: Sequence[str]) -> Floats:
    people = Counter(choice.service for choice in made)
    return np.array([people[service] for service in services], np.float32)


def _companions(made: Sequence[Choice], services: Sequence[str]) -> Floats:
    """How many people took the column's service after the row's; counts too small to be told are left out."""
    row = {service: place for place, service in enumerate(services)}
    counts = np.zeros((len(services), len(services)), np.float32)
    earlier: dict[str, list[Choice]] = {}
    for choice in made:
        for other in earlier.setdefault(choice.person, []):
            if other.key != choice.key:
                counts[row[other.service], row[choice.service]] += 1
        earlier[choice.person].append(choice)
    counts[counts < COMPANIONS_MIN] = 0
    return counts
