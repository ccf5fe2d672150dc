"""Situations: who had what when they took something for the first time. What learns from choices is fitted on them.

With times, the context of a choice is what was taken before it; without, everything else the person has.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from recommender.interactions import IntArray, Interactions, LongArray, Numbers, Sparse

_SEED: Final = 11


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Situations:
    """S situations: of which person, what they had (S x m), what they took then (S x m, ones)."""

    person: IntArray
    had: Sparse
    took: Sparse


def situations(data: Interactions, *, most: int, had_most: int) -> Situations:
    """At most `most` situations with `had_most` items had in all; of more, some drawn with a fixed seed."""
    person, item, at = _first_takings(data)
    people = np.searchsorted(person, np.arange(len(data.people) + 1))
    timed = len(at) > 0 and bool((at != at[0]).any())
    if timed:
        opens = np.flatnonzero(np.diff(person, prepend=-1) | np.diff(at, prepend=-1))
        ends = np.append(opens[1:], len(item))
        first, past = people[person[opens]], opens
    else:
        opens = np.arange(len(item))
        ends = opens + 1
        first, past = people[person], people[person + 1]
    drawn = _drawn(past - first, most=most, had_most=had_most)
    opens, ends = opens[drawn], ends[drawn]
    had, of = _ranges(first[drawn], past[drawn])
    if not timed:
        other = had != opens[of]
        had, of = had[other], of[other]
    took, by = _ranges(opens, ends)
    shape = (len(opens), len(data.items))
    return Situations(
        person=person[opens],
        had=sparse.csr_matrix((np.ones(len(had), np.float32), (of, item[had])), shape=shape),
        took=sparse.csr_matrix((np.ones(len(took), np.float32), (by, item[took])), shape=shape),
    )


def greatest(data: Interactions) -> Numbers:
    """The greatest weight of each feature of people, at least one: numbers of any size are taken as shares of it."""
    found: Numbers = np.maximum(np.asarray(abs(data.features).max(axis=0).todense()).ravel(), 1.0)
    return found


def _first_takings(data: Interactions) -> tuple[IntArray, IntArray, LongArray]:
    """Person, item and time of each first taking, ordered by person, time and item."""
    pairs = data.person.astype(np.int64) * len(data.items) + data.item
    # Rows are ordered by person and time, so the first row of a pair is the earliest.
    _, first = np.unique(pairs, return_index=True)
    first.sort()
    return data.person[first], data.item[first], data.at[first]


def _drawn(sizes: LongArray, *, most: int, had_most: int) -> LongArray:
    order = np.random.default_rng(_SEED).permutation(len(sizes))[:most]
    fitting = np.searchsorted(np.cumsum(sizes[order]), had_most, side="right")
    return np.sort(order[:fitting])


def _ranges(first: LongArray, past: LongArray) -> tuple[LongArray, LongArray]:
    """The numbers of all ranges [first, past) one after the other, and which range each is of."""
    sizes = past - first
    of = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(of)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return first[of] + within, of
