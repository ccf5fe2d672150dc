"""Segment popularity: what people with the same attributes take, averaged over the person's attributes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from recommender.interactions import Interactions, Numbers, PersonRow
from recommender.rankers.protocol import Arrays, Plan, Progress, RankerKind, Unsuitable

_SMOOTHING: Final = 20.0


@dataclass(frozen=True, eq=False, slots=True)
class SegmentPopularity:
    """`everyone` (m) is the share of takings of each item, `rates` (f x m) the same within each attribute."""

    everyone: Numbers
    rates: Numbers
    name: str = "segment_popularity"

    def scores(self, person: PersonRow) -> Numbers:
        total = float(person.weights.sum())
        if total <= 0:
            return self.everyone.copy()
        found: Numbers = np.einsum("i,ij->j", person.weights / total, self.rates.take(person.features, axis=0))
        return found

    def arrays(self) -> Arrays:
        return {"everyone": self.everyone, "rates": self.rates}


def fit(data: Interactions, *, plan: Plan, progress: Progress) -> SegmentPopularity:
    """`smoothing` is how many takings of everyone are added to those within an attribute."""
    if not data.feature_names:
        raise Unsuitable("nothing is known of the people but what they took")
    smoothing = plan.get("smoothing", _SMOOTHING)
    pairs = data.taken.copy()
    pairs.data = np.ones_like(pairs.data)
    taken = np.asarray(pairs.sum(axis=0), np.float64).ravel()
    everyone = taken / max(taken.sum(), 1.0)
    within = np.asarray((sparse.csr_matrix(abs(data.features)).T @ pairs).todense(), np.float64)
    rates = (within + smoothing * everyone) / (within.sum(axis=1, keepdims=True) + smoothing)
    progress(1, 1)
    return SegmentPopularity(everyone, rates)


def _from_arrays(arrays: Arrays) -> SegmentPopularity:
    return SegmentPopularity(np.asarray(arrays["everyone"], np.float64), np.asarray(arrays["rates"], np.float64))


KIND: Final = RankerKind(name="segment_popularity", fit=fit, from_arrays=_from_arrays)
