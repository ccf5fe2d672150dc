"""Popularity: how many people took an item, older takings counting less where a half-life is given."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.conditions import DAY_MS
from recommender.interactions import Interactions, Numbers, PersonRow
from recommender.rankers.protocol import Arrays, Plan, Progress, RankerKind, quiet

TIE_BREAK: Final = 1e-6


@dataclass(frozen=True, eq=False, slots=True)
class Popularity:
    """`taken` (m): people who took the item, each counted by how long ago they last did."""

    taken: Numbers
    name: str = "popularity"

    def scores(self, person: PersonRow) -> Numbers:  # noqa: ARG002
        return self.taken.copy()

    def arrays(self) -> Arrays:
        return {"taken": self.taken}


def fit(data: Interactions, *, plan: Plan, progress: Progress) -> Popularity:
    """`half_life_days` (0: nothing ages) halves the count of what was taken that long before the newest row."""
    ages = decayed(data, half_life_days=plan.get("half_life_days", 0.0))
    # A person counts once per item, by the newest taking: many small purchases of one household are not popularity.
    pairs = data.person.astype(np.int64) * len(data.items) + data.item
    order = np.lexsort((ages, pairs))
    last = np.flatnonzero(np.diff(pairs[order], append=-1))
    taken = np.bincount(data.item[order][last], weights=ages[order][last], minlength=len(data.items)).astype(np.float64)
    progress(1, 1)
    return Popularity(taken)


def tie_break(data: Interactions) -> Numbers:
    """Shares by popularity, too small to outweigh anything: they order what a ranker has nothing to say about."""
    taken = fit(data, plan={}, progress=quiet).taken
    share: Numbers = TIE_BREAK * taken / max(float(taken.sum()), 1.0)
    return share


def decayed(data: Interactions, *, half_life_days: float) -> Numbers:
    """What each row still counts at the time of the newest one."""
    if half_life_days <= 0:
        return np.ones(len(data))
    halvings: Numbers = (data.newest - data.at) / (half_life_days * DAY_MS)
    return np.exp2(-halvings)


KIND: Final = RankerKind(
    name="popularity",
    fit=fit,
    from_arrays=lambda arrays: Popularity(np.asarray(arrays["taken"], np.float64)),
    plans=({}, *({"half_life_days": days} for days in (60.0, 14.0, 3.0))),
)
