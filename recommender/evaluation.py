"""How good a model is: asked through the serving function itself, with each person as they were at the cut-off.

The gate lets nothing be served that does worse there than another candidate, or not better than popularity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.artifact import BLEND, POPULARITY, Artifact
from recommender.bootstrap import figure
from recommender.catalogue import Catalogue
from recommender.choices import History, Takings, facts_before, taken_between
from recommender.features import own_takings
from recommender.interactions import Numbers
from recommender.manifest import Measured, Metrics
from recommender.personal import PersonalFacts
from recommender.suggest import suggest
from recommender.suggestion import SuggestionInput
from recommender.tournament_judging import HITS_IN, RANKS, ndcg
from recommender.training_pairs import spread


@dataclass(frozen=True, slots=True)
class Case:
    """A person before the cut-off, and the services they took after it that could have been suggested."""

    person: SuggestionInput
    targets: frozenset[str]


@dataclass(frozen=True, eq=False, slots=True)
class Served:
    """What one candidate reached with each person: NDCG@10, a hit in the first three; and recall by service."""

    ndcg: Numbers
    hit: Numbers
    macro_recall: float
    targets: int

    def metrics(self) -> Metrics:
        """Means with their intervals."""
        return Metrics(
            ndcg_at_10=measured(self.ndcg),
            hit_rate_at_3=measured(self.hit),
            macro_recall_at_3=self.macro_recall,
            people=len(self.ndcg),
            targets=self.targets,
        )


def cases_between(
    history: History, told: Takings, *, catalogue: Catalogue, since: int, until: int, people_max: int
) -> list[Case]:
    """People who took something from `since` to before `until` (ms); of too many, some evenly spread over their names.

    What somebody had and cannot take again is no target: it is not suggested.
    """
    found = []
    for person in history:
        taken = taken_between(told[person], since=since, until=until)
        if taken:
            found.append((person, taken))
    cases = []
    for place in spread(range(len(found)), most=people_max):
        person, taken = found[place]
        known = facts_before(history[person], since)
        targets = frozenset(taken - _closed(known, catalogue))
        if targets:
            cases.append(Case(SuggestionInput(ref=person, personal=known), targets))
    return cases


def evaluate(artifact: Artifact, *, catalogue: Catalogue, cases: Sequence[Case], at: int) -> Served:
    """What the artifact reaches with the cases, served at the cut-off (ms)."""
    hits = np.zeros((len(cases), RANKS), np.bool_)
    told: dict[str, list[bool]] = {}
    for place, case in enumerate(cases):
        answer = suggest(
            case.person, artifact=artifact, catalogue=catalogue, channel=None, k=RANKS, now=at, key=b"evaluation"
        )
        served = [suggestion.service for suggestion in answer.suggestions]
        hits[place, : len(served)] = [service in case.targets for service in served]
        for service in case.targets:
            told.setdefault(service, []).append(service in served[:HITS_IN])
    recalls = [sum(found) / len(found) for _, found in sorted(told.items())]
    return Served(
        ndcg=ndcg(hits, np.array([len(case.targets) for case in cases], np.int64)),
        hit=hits[:, :HITS_IN].any(axis=1).astype(np.float64),
        macro_recall=round(sum(recalls) / len(recalls), 6) if recalls else 0.0,
        targets=sum(len(case.targets) for case in cases),
    )


def measured(values: Numbers) -> Measured:
    """The mean of one value per person, with its interval."""
    found = figure(values)
    return Measured(value=found.mean, low=found.low, high=found.high)


def gate(served: Mapping[str, Served], *, people_min: int) -> tuple[str, str]:
    """Which candidate may be served, and why.

    It is the blend where that is not clearly worse than the best, else the best; and popularity where it is not beaten.
    A difference is clear when its 95 % interval, paired by person, leaves out nought.
    """
    baseline = served[POPULARITY]
    others = {label: found for label, found in served.items() if label != POPULARITY}
    if not others:
        return POPULARITY, "nothing beats popularity"
    if len(baseline.ndcg) < people_min:
        return POPULARITY, f"only {len(baseline.ndcg)} people to judge by, {people_min} are needed"
    best = max(others, key=lambda label: (float(others[label].ndcg.mean()), label == BLEND))
    chosen = BLEND if BLEND in others and figure(others[best].ndcg - others[BLEND].ndcg).low <= 0 else best
    won = figure(others[chosen].ndcg - baseline.ndcg)
    figures = (
        f"NDCG@10 {float(others[chosen].ndcg.mean()):.4f} of {chosen} "
        f"against {float(baseline.ndcg.mean()):.4f} of popularity ({won.low:+.4f} to {won.high:+.4f})"
    )
    return (chosen, figures) if won.mean > 0 else (POPULARITY, f"not better: {figures}")


def _closed(known: PersonalFacts, catalogue: Catalogue) -> set[str]:
    return {service for service in own_takings(known, catalogue) if not catalogue.by_id[service].repeatable}
