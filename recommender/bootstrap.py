"""How sure a mean over people is: percentile bootstrap with a fixed seed (Efron 1979), paired by person."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from recommender.interactions import Numbers

RESAMPLES: Final = 1000
_SEED: Final = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over people, and the interval that holds 95 % of the means over people drawn anew."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f}-{self.high:.3f})"

    def __format__(self, form: str) -> str:
        """As it is, or with `+` as a difference, which needs its signs and a digit more."""
        return f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f})" if form == "+" else str(self)


def figure(values: Numbers, *, confidence: float = 0.95) -> Figure:
    """The mean of one value per person with its interval; of a difference per person, the paired comparison.

    Rounded to six digits, so that a report does not depend on the last bit of a sum.
    """
    if not len(values):
        return Figure(0.0, 0.0, 0.0)
    means = np.einsum("ij,j->i", _drawn(len(values)), values)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Figure(round(float(values.mean()), 6), round(float(low), 6), round(float(high), 6))


@lru_cache(maxsize=4)
def _drawn(people: int) -> Numbers:
    """How large a part of each sample each person is (RESAMPLES x people)."""
    random = np.random.default_rng(_SEED)
    chosen = (np.bincount(random.integers(0, people, people), minlength=people) for _ in range(RESAMPLES))
    return np.array([counts / people for counts in chosen])
