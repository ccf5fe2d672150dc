"""Own frequency and recency: what a person took often, and lately where a half-life is given, they take again."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.conditions import DAY_MS
from recommender.interactions import Interactions, Numbers, PersonRow
from recommender.rankers.popularity import tie_break
from recommender.rankers.protocol import Arrays, Plan, Progress, RankerKind


@dataclass(frozen=True, eq=False, slots=True)
class OwnFrequency:
    """`otherwise` (m) orders what the person never took; `half_life_days` (1) is 0 where nothing ages."""

    otherwise: Numbers
    half_life_days: Numbers
    name: str = "own_frequency"

    def scores(self, person: PersonRow) -> Numbers:
        found = self.otherwise.copy()
        counts = person.counts
        half_life_ms = float(self.half_life_days[0]) * DAY_MS
        if half_life_ms:
            counts = counts * np.exp2(np.minimum(person.last - person.at, 0) / half_life_ms)
        # Of counts the logarithm, whose order is the same: beside other rankers one great count must not be all.
        found[person.items] += np.log1p(counts)
        return found

    def arrays(self) -> Arrays:
        return {"otherwise": self.otherwise, "half_life_days": self.half_life_days}


def fit(data: Interactions, *, plan: Plan, progress: Progress) -> OwnFrequency:
    """With `half_life_days` a count is halved for each such time since the item was last taken."""
    progress(1, 1)
    return OwnFrequency(tie_break(data), np.array([plan.get("half_life_days", 0.0)]))


def _from_arrays(arrays: Arrays) -> OwnFrequency:
    return OwnFrequency(np.asarray(arrays["otherwise"], np.float64), np.asarray(arrays["half_life_days"], np.float64))


KIND: Final = RankerKind(name="own_frequency", fit=fit, from_arrays=_from_arrays, plans=({}, {"half_life_days": 60.0}))
