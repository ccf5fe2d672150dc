"""What each part is worth, found on validation: forward selection of an ensemble (Caruana et al. 2004).

Parts are added one at a time, again and again, whichever helps most. Where the blend is not better than the best
single part, on people its weights were not found on, the single part it is.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from recommender.blend import Weights
from recommender.bootstrap import figure
from recommender.interactions import Numbers
from recommender.tournament_judging import Cases, Scores, best, ndcg

ROUNDS: Final = 12
_GAIN_MIN: Final = 1e-4

Said = Mapping[str, Scores]
"""Label of a part -> its standard scores of the people asked."""


def weights_found(said: Said, cases: Cases) -> tuple[Weights, Weights, str]:
    """The weights, those in reserve where the gate refuses these, and why these."""
    alone = {label: float(_ndcg(scores, cases).mean()) for label, scores in said.items()}
    single = max(alone, key=lambda label: alone[label])
    blended = _ensemble(said, cases)
    if len(blended) < 2:
        return {single: 1.0}, {single: 1.0}, f"{single} alone: no other part adds to it on validation"
    gain = figure(_gain_on_others(said, cases, single=single))
    told = f"NDCG@10 {gain:+} on validation"
    if gain.mean <= 0:
        return {single: 1.0}, blended, f"{single} alone: a blend is not better, {told}"
    return blended, {single: 1.0}, f"a blend is better than {single} alone, {told}"


def _gain_on_others(said: Said, cases: Cases, *, single: str) -> Numbers:
    """What the blend found on one half of the people gains with the other half, person by person."""
    gains = []
    for half in (0, 1):
        found = _ensemble({label: scores[half::2] for label, scores in said.items()}, cases.half(half))
        others, judged = {label: scores[1 - half :: 2] for label, scores in said.items()}, cases.half(1 - half)
        gains.append(_ndcg(_sum(others, found), judged) - _ndcg(others[single], judged))
    return np.concatenate(gains)


def _ensemble(said: Said, cases: Cases) -> Weights:
    """The best of the ensembles of one part, two, and so on, each with the addition that helps most or harms least.

    A part that is added again leaves the others less weight; so small weights are found though large ones harm.
    """
    chosen: list[str] = []
    total: Scores = np.zeros_like(next(iter(said.values())))
    reached: list[float] = []
    for _ in range(ROUNDS):
        with_each = {label: float(_ndcg(total + scores, cases).mean()) for label, scores in said.items()}
        label = max(with_each, key=lambda each: round(with_each[each], 9))
        chosen.append(label)
        reached.append(with_each[label])
        total = total + said[label]
    most = max(reached)
    size = next(size for size, ndcg in enumerate(reached, start=1) if ndcg > most - _GAIN_MIN)
    counts = Counter(chosen[:size])
    return {label: round(count / size, 6) for label, count in sorted(counts.items())}


def _sum(said: Said, weights: Weights) -> Scores:
    total: Scores = np.zeros_like(next(iter(said.values())))
    for label, weight in weights.items():
        total += said[label] * weight
    return total


def _ndcg(scores: Scores, cases: Cases) -> Numbers:
    return ndcg(np.take_along_axis(cases.right, best(scores, cases.open), axis=1), cases.right.sum(axis=1))
