"""What every ranker can do, and how a kind of ranker is fitted, written down and read back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from recommender.interactions import Interactions, Numbers, PersonRow

Arrays = Mapping[str, npt.NDArray[Any]]
"""All that a ranker needs, as plain arrays; no row of any person is among them."""
Plan = Mapping[str, float]
"""Numbers that say how to fit, by name; what is not named keeps its default."""
Progress = Callable[[int, int], None]
"""Called with what is done, and of how many."""


class Unsuitable(Exception):
    """This kind of ranker is not for these data; the text says why. Others are."""


class Ranker(Protocol):
    """Scores all items for one person."""

    @property
    def name(self) -> str:
        """The kind's name."""

    def scores(self, person: PersonRow) -> Numbers:
        """A finite score for each of the m items; higher is better. Scores of two rankers are not comparable."""

    def arrays(self) -> Arrays:
        """All it needs to be made again by its kind's `from_arrays`."""


class Fit(Protocol):
    """Fits a ranker; Unsuitable where these data are not for it. Deterministic, on one thread."""

    def __call__(self, data: Interactions, *, plan: Plan, progress: Progress) -> Ranker: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerKind:
    """One way to rank; `plans` are what a tournament tries on validation, the first one is the default."""

    name: str
    fit: Fit
    from_arrays: Callable[[Arrays], Ranker]
    plans: tuple[Plan, ...] = ({},)


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody watches."""
