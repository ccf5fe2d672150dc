"""Heads: the items taken most. Rankers with a weight for each pair of items are fitted on them; the rest come after.

Of many thousand items hardly any is among the first ten but those of the head; for the others there are rankers whose
room does not grow with the square of the items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.interactions import IntArray, Interactions, Numbers, PersonRow, Sparse
from recommender.rankers.popularity import tie_break
from recommender.rankers.protocol import Arrays, Plan, Progress, Ranker, RankerKind

ITEMS_MAX: Final = 2000
_SEED: Final = 13
_COLUMNS: Final = "head_columns"
_OTHERWISE: Final = "head_otherwise"


@dataclass(frozen=True, eq=False, slots=True)
class Head:
    """A ranker of the items at `columns`, ascending; what is not among them comes last, ordered by `otherwise` (m)."""

    inner: Ranker
    columns: IntArray
    otherwise: Numbers
    _place: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_place", _places(self.columns, of=len(self.otherwise)))

    @property
    def name(self) -> str:
        """The inner ranker's."""
        return self.inner.name

    def scores(self, person: PersonRow) -> Numbers:
        places = self._place.take(person.items)
        there = places >= 0
        inside = replace(person, items=places[there], counts=person.counts[there], last=person.last[there])
        of_head = self.inner.scores(inside)
        found: Numbers = self.otherwise + (float(of_head.min()) - 1.0)
        found[self.columns] = of_head
        return found

    def arrays(self) -> Arrays:
        return {**self.inner.arrays(), _COLUMNS: self.columns, _OTHERWISE: self.otherwise}


def on_head(kind: RankerKind, *, most: int = ITEMS_MAX) -> RankerKind:
    """The kind, fitted on the `most` items taken by most people where there are more."""

    def fit(data: Interactions, *, plan: Plan, progress: Progress) -> Ranker:
        columns = head_of(data, most=most)
        if len(columns) == len(data.items):
            return kind.fit(data, plan=plan, progress=progress)
        return Head(kind.fit(narrowed(data, columns), plan=plan, progress=progress), columns, tie_break(data))

    def from_arrays(arrays: Arrays) -> Ranker:
        if _COLUMNS not in arrays:
            return kind.from_arrays(arrays)
        own: Mapping[str, npt.NDArray[Any]] = {
            name: array for name, array in arrays.items() if name not in {_COLUMNS, _OTHERWISE}
        }
        columns, otherwise = np.asarray(arrays[_COLUMNS], np.int32), np.asarray(arrays[_OTHERWISE], np.float64)
        return Head(kind.from_arrays(own), columns, otherwise)

    return replace(kind, fit=fit, from_arrays=from_arrays)


def head_of(data: Interactions, *, most: int) -> IntArray:
    """The columns of the items taken by most people, ascending; of equals the earlier."""
    people = tie_break(data)
    return np.sort(np.argsort(-people, kind="stable")[:most]).astype(np.int32)


def narrowed(data: Interactions, columns: IntArray) -> Interactions:
    """Only these items, and what was taken of them; people and what is known of them stay the same."""
    place = _places(columns, of=len(data.items))
    kept = data.only(place[data.item] >= 0)
    return replace(
        kept,
        items=tuple(data.items[column] for column in columns),
        item=place[kept.item],
        item_features=data.item_features[columns],
        eligible=None if data.eligible is None else data.eligible.tocsc()[:, columns].tocsr(),
    )


def _places(columns: IntArray, *, of: int) -> IntArray:
    """For each of so many columns its place among these; -1 for the others."""
    place = np.full(of, -1, np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    return place


def within(taken: Sparse, *, pairs_max: int) -> Sparse:
    """The rows of people whose pairs of items are no more than that in all; of more, some drawn with a fixed seed."""
    sizes = np.diff(taken.indptr).astype(np.int64)
    if int((sizes**2).sum()) <= pairs_max:
        return taken
    order = np.random.default_rng(_SEED).permutation(len(sizes))
    fitting = int(np.searchsorted(np.cumsum(sizes[order] ** 2), pairs_max, side="right"))
    return taken[np.sort(order[: max(fitting, 1)])]
