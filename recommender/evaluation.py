"""How good a model is: asked through the serving function itself, with each person as they were at the cut-off."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from recommender.artifact import Artifact, Metrics, RankerName
from recommender.catalogue import Catalogue
from recommender.choices import Choice, History, facts_before
from recommender.suggest import suggest
from recommender.suggestion import SuggestionInput

RANKS: Final = 10
"""Suggestions looked at per person."""
HITS_IN: Final = 3

Case = tuple[SuggestionInput, frozenset[str]]
"""A person before the cut-off, and the services they took for the first time after it."""


def cases_after(choices: Sequence[Choice], history: History, *, cut_off: int, people_max: int) -> list[Case]:
    """The people who chose something from the cut-off (ms) on; of too many, those evenly spread over their names."""
    targets: dict[str, set[str]] = {}
    for choice in choices:
        if choice.at >= cut_off:
            targets.setdefault(choice.person, set()).add(choice.service)
    people = sorted(targets)
    stride = -(-len(people) // people_max) if people else 1
    return [
        (
            SuggestionInput(ref=person, personal=facts_before(history[person], cut_off)),
            frozenset(targets[person]),
        )
        for person in people[::stride]
    ]


def evaluate(artifact: Artifact, *, catalogue: Catalogue, cases: Sequence[Case], at: int) -> Metrics:
    """NDCG@10 and hit rate in the first three, averaged over the people of the cases, served at the cut-off (ms)."""
    gains, hits = [], []
    for person, targets in cases:
        answer = suggest(
            person, artifact=artifact, catalogue=catalogue, channel=None, k=RANKS, now=at, key=b"evaluation"
        )
        served = [suggestion.service for suggestion in answer.suggestions]
        gains.append(ndcg(served, targets))
        hits.append(1.0 if targets & set(served[:HITS_IN]) else 0.0)
    return Metrics(
        ndcg_at_10=_mean(gains),
        hit_rate_at_3=_mean(hits),
        people=len(cases),
        targets=sum(len(targets) for _, targets in cases),
    )


def ndcg(served: Sequence[str], targets: Collection[str]) -> float:
    """Discounted gain of the targets among the first ten served, as a share of the best that could be had."""
    gain = sum(1 / math.log2(place + 2) for place, service in enumerate(served[:RANKS]) if service in targets)
    best = sum(1 / math.log2(place + 2) for place in range(min(len(targets), RANKS)))
    return gain / best if best else 0.0


def gate(metrics: Mapping[RankerName, Metrics], *, people_min: int) -> tuple[bool, str]:
    """Whether LightFM may be served instead of popularity, and why: only what is better on enough people is."""
    if "lightfm" not in metrics:
        return False, "no model to judge"
    model, baseline = metrics["lightfm"], metrics["popularity"]
    if model.people < people_min:
        return False, f"only {model.people} people to judge by, {people_min} are needed"
    figures = f"NDCG@10 {model.ndcg_at_10:.4f} against {baseline.ndcg_at_10:.4f} of popularity"
    better = model.ndcg_at_10 > baseline.ndcg_at_10
    return better, figures if better else f"not better: {figures}"


def _mean(values: Sequence[float]) -> float:
    # Rounded, so that the manifest does not depend on the last bit of a sum.
    return round(sum(values) / len(values), 6) if values else 0.0
