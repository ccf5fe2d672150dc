"""EASE (Steck 2019, arXiv 1905.03375): the linear item-to-item model with a closed form, on logarithms of counts."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from recommender.interactions import Interactions, Numbers, PersonRow
from recommender.rankers.heads import on_head, within
from recommender.rankers.popularity import tie_break
from recommender.rankers.protocol import Arrays, Plan, Progress, RankerKind

_PENALTY: Final = 500.0
_PAIRS_MAX: Final = 300_000_000
"""Pairs of items had by one person, over all people: what adding them up may cost."""


@dataclass(frozen=True, eq=False, slots=True)
class Ease:
    """`weights` (m x m): what having the row's item says for the column's; `otherwise` (m) breaks ties."""

    weights: npt.NDArray[np.float32]
    otherwise: Numbers
    name: str = "ease"

    def scores(self, person: PersonRow) -> Numbers:
        own = np.log1p(person.counts).astype(np.float32)
        found: Numbers = self.otherwise + np.einsum("i,ij->j", own, self.weights.take(person.items, axis=0))
        return found

    def arrays(self) -> Arrays:
        return {"weights": self.weights, "otherwise": self.otherwise}


def fit(data: Interactions, *, plan: Plan, progress: Progress) -> Ease:
    """`penalty` is the L2 penalty."""
    counts = within(data.taken, pairs_max=_PAIRS_MAX).copy()
    counts.data = np.log1p(counts.data)
    gram: npt.NDArray[Any] = np.asarray((counts.T @ counts).todense(), np.float64)
    gram[np.diag_indices_from(gram)] += plan.get("penalty", _PENALTY)
    # With more than one thread the last bits would depend on how many there are.
    with threadpool_limits(1):
        inverse = np.linalg.inv(gram)
        progress(1, 1)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return Ease(weights.astype(np.float32), tie_break(data))


def _from_arrays(arrays: Arrays) -> Ease:
    return Ease(np.asarray(arrays["weights"], np.float32), np.asarray(arrays["otherwise"], np.float64))


KIND: Final = on_head(
    RankerKind(name="ease", fit=fit, from_arrays=_from_arrays, plans=({}, {"penalty": 50.0}, {"penalty": 2000.0}))
)
