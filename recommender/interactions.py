"""Who took what, when: the one shape all rankers are fitted on, and the one person they look at when they score.

People are rows that live as long as a fit; a ranker that is served has none of them. What a ranker may know of a
person comes as a `PersonRow`, made afresh for each question, so that the last event already counts.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Sparse = Any
"""A `scipy.sparse.csr_matrix`; scipy ships no types."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PersonRow:
    """One person as of `at` (ms): the columns of items taken, ascending, how many of each, when last (ms).

    `features` are columns of the features of people, ascending, with their `weights`, not normalised.
    """

    items: IntArray
    counts: Numbers
    last: LongArray
    features: IntArray
    weights: Numbers
    at: int


NOBODY = PersonRow(
    items=np.zeros(0, np.int32),
    counts=np.zeros(0),
    last=np.zeros(0, np.int64),
    features=np.zeros(0, np.int32),
    weights=np.zeros(0),
    at=0,
)
"""A person of whom nothing is known."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Interactions:
    """Rows in canonical order (person, at, item), of n people, m items, f and g features.

    `people` and `items` are sorted; `person` and `item` are their rows and columns, `at` is ms, `weight` how many
    were taken. `features` (n x f, as of the cut-off, not normalised) and `item_features` (m x g) describe them;
    `eligible` (n x m, bool) tells who may have what, None that everybody may have everything.
    """

    people: tuple[str, ...]
    items: tuple[str, ...]
    person: IntArray
    item: IntArray
    at: LongArray
    weight: Numbers
    features: Sparse
    feature_names: tuple[str, ...]
    item_features: Sparse
    eligible: Sparse | None = None

    def __len__(self) -> int:
        return len(self.item)

    @cached_property
    def starts(self) -> LongArray:
        """Where the rows of each person begin, and where the last one's end (n + 1)."""
        return np.searchsorted(self.person, np.arange(len(self.people) + 1)).astype(np.int64)

    @cached_property
    def newest(self) -> int:
        """The time of the newest row in ms; 0 without any."""
        return int(self.at.max()) if len(self) else 0

    @cached_property
    def taken(self) -> Sparse:
        """How many each person took of each item (n x m): distinct pairs, columns ascending."""
        shape = (len(self.people), len(self.items))
        found = sparse.csr_matrix((self.weight, (self.person, self.item)), shape=shape, dtype=np.float64)
        found.sum_duplicates()
        return found

    def before(self, moment: int) -> "Interactions":
        """The rows earlier than the moment (ms); people, items and features stay the same."""
        return self.only(self.at < moment)

    def after(self, moment: int) -> "Interactions":
        """The rows at the moment (ms) or later; people, items and features stay the same."""
        return self.only(self.at >= moment)

    def only(self, kept: Mask) -> "Interactions":
        """The rows that the mask keeps; people, items and features stay the same."""
        return replace(self, person=self.person[kept], item=self.item[kept], at=self.at[kept], weight=self.weight[kept])

    def once(self) -> "Interactions":
        """What a person took of an item at one moment as one row of weight one: ten cans are one purchase."""
        rows = np.stack([self.person.astype(np.int64), self.at, self.item.astype(np.int64)])
        first = np.ones(len(self), np.bool_)
        first[1:] = (np.diff(rows, axis=1) != 0).any(axis=0)
        kept = self.only(first)
        return replace(kept, weight=np.ones(len(kept)))

    def row(self, person: int, at: int) -> PersonRow:
        """The person as they were just before `at` (ms)."""
        first, end = self.starts[person], self.starts[person + 1]
        end = first + np.searchsorted(self.at[first:end], at)
        items, places = np.unique(self.item[first:end], return_inverse=True)
        last = np.zeros(len(items), np.int64)
        np.maximum.at(last, places, self.at[first:end])
        known = slice(self.features.indptr[person], self.features.indptr[person + 1])
        return PersonRow(
            items=items,
            counts=np.bincount(places, weights=self.weight[first:end], minlength=len(items)),
            last=last,
            features=self.features.indices[known],
            weights=self.features.data[known],
            at=at,
        )


def interactions(
    rows: Iterable[tuple[str, str, int, float]],
    *,
    items: Sequence[str] = (),
    features: Mapping[str, Mapping[str, float]] | None = None,
    item_features: Mapping[str, Mapping[str, float]] | None = None,
    eligible: Sequence[tuple[str, str]] | None = None,
) -> Interactions:
    """Interactions of (person, item, ms, how many) in any order, numbered canonically; the rows are read once.

    `items` are there even if nobody took them; `features` maps a person to the features' weights, `item_features` an
    item; `eligible` are the pairs of person and item that are allowed (what was taken is allowed too), and whoever is
    in none of them may have everything.
    """
    features, item_features, pairs = features or {}, item_features or {}, eligible or ()
    seen_people: dict[str, int] = {}
    seen_items: dict[str, int] = {}
    person, item, at, weight = array("i"), array("i"), array("q"), array("d")
    for who, what, when, how_many in rows:
        person.append(seen_people.setdefault(who, len(seen_people)))
        item.append(seen_items.setdefault(what, len(seen_items)))
        at.append(when)
        weight.append(how_many)
    people = tuple(sorted({*seen_people, *features, *(who for who, _ in pairs)}))
    names = tuple(sorted({*seen_items, *items, *item_features, *(what for _, what in pairs)}))
    row_of, column_of = _places(people), _places(names)
    persons = np.array([row_of[name] for name in seen_people], np.int32)[np.array(person, np.int32)]
    columns = np.array([column_of[name] for name in seen_items], np.int32)[np.array(item, np.int32)]
    times, weights = np.array(at, np.int64), np.array(weight, np.float64)
    order = np.lexsort((weights, columns, times, persons))
    feature_names = tuple(sorted({name for own in features.values() for name in own}))
    described = tuple(sorted({name for own in item_features.values() for name in own}))
    return Interactions(
        people=people,
        items=names,
        person=persons[order],
        item=columns[order],
        at=times[order],
        weight=weights[order],
        features=_matrix(people, features, feature_names),
        feature_names=feature_names,
        item_features=_matrix(names, item_features, described),
        eligible=None if eligible is None else _allowed(pairs, row_of, column_of, taken=(persons, columns)),
    )


def with_features(data: Interactions, features: Mapping[str, Mapping[str, float]]) -> Interactions:
    """The same rows, their people described by these features instead."""
    names = tuple(sorted({name for own in features.values() for name in own}))
    return replace(data, features=_matrix(data.people, features, names), feature_names=names)


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _matrix(rows: Sequence[str], described: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> Sparse:
    column_of = _places(names)
    pointers, columns, values = [0], [], []
    for row in rows:
        for name, value in sorted(described.get(row, {}).items()):
            columns.append(column_of[name])
            values.append(value)
        pointers.append(len(columns))
    made = (np.array(values, np.float64), np.array(columns, np.int32), np.array(pointers, np.int32))
    return sparse.csr_matrix(made, shape=(len(rows), len(names)))


def _allowed(
    pairs: Sequence[tuple[str, str]],
    row_of: Mapping[str, int],
    column_of: Mapping[str, int],
    *,
    taken: tuple[IntArray, IntArray],
) -> Sparse:
    named = np.array([row_of[who] for who, _ in pairs], np.int32)
    free = np.setdiff1d(np.arange(len(row_of)), named)
    person = np.concatenate([named, taken[0], np.repeat(free, len(column_of))])
    listed = np.array([column_of[what] for _, what in pairs], np.int32)
    item = np.concatenate([listed, taken[1], np.tile(np.arange(len(column_of)), len(free))])
    shape = (len(row_of), len(column_of))
    made = sparse.csr_matrix((np.ones(len(person), np.bool_), (person, item)), shape=shape, dtype=np.bool_)
    made.sum_duplicates()
    return made
