"""What is counted of permitted people beside what is fitted: by it the reasons are borne out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from scipy import sparse

from recommender.artifact import POPULARITY, Arrays
from recommender.choices import Takings
from recommender.interactions import Interactions, LongArray, Sparse
from recommender.reasons import COMPANIONS_MIN

_CODES_MAX: Final = 4_000_000


def counted(told: Takings, data: Interactions, *, before: int) -> Arrays:
    """Popularity, companions, traits and having, as an artifact keeps them: by first takings before a moment (ms).

    `data` are what the people were then, which gives the numbers of services and features.
    """
    column = {service: place for place, service in enumerate(data.items)}
    first = [_first(told[person], column, before=before) for person in data.people]
    items = np.concatenate([np.zeros(0, np.int64), *(found for found, _ in first)])
    people = np.repeat(np.arange(len(first)), [len(found) for found, _ in first])
    shape = (len(first), len(data.items))
    taken = sparse.csr_matrix((np.ones(len(items), np.int64), (people, items)), shape=shape)
    takers = np.diff(taken.indptr) > 0
    features = sparse.csr_matrix(data.features[takers] > 0, dtype=np.int64)
    return {
        POPULARITY: np.asarray(taken.sum(axis=0)).ravel(),
        "having": np.asarray(features.sum(axis=0)).ravel(),
        **_rows("companions", _companions(first, width=len(data.items))),
        **_rows("traits", sparse.csr_matrix(features.T @ taken[takers])),
    }


def _first(
    told: Sequence[tuple[int, frozenset[str]]], column: Mapping[str, int], *, before: int
) -> tuple[LongArray, LongArray]:
    """The services a person took, and the number of the taking by which they first did."""
    found: dict[int, int] = {}
    for number, (at, taken) in enumerate(told):
        for service in sorted(taken) if at < before else ():
            found.setdefault(column[service], number)
    return np.array(list(found), np.int64), np.array(list(found.values()), np.int64)


def _companions(first: Iterable[tuple[LongArray, LongArray]], *, width: int) -> Sparse:
    """Of m x m, how many people took the column's item later than they first took the row's."""
    waiting: list[LongArray] = []
    count = 0
    total = sparse.csr_matrix((width, width), dtype=np.int64)
    for items, numbers in first:
        earlier, later = np.nonzero(numbers[:, None] < numbers[None, :])
        waiting.append(items[earlier] * width + items[later])
        count += len(earlier)
        if count > _CODES_MAX:
            total, waiting, count = total + _summed(waiting, width), [], 0
    return total + _summed(waiting, width)


def _summed(codes: list[LongArray], width: int) -> Sparse:
    found, counts = np.unique(np.concatenate([np.zeros(0, np.int64), *codes]), return_counts=True)
    return sparse.csr_matrix((counts, (found // max(width, 1), found % max(width, 1))), shape=(width, width))


def _rows(name: str, counts: Sparse) -> Arrays:
    """The counts that are large enough to be told, as sparse rows."""
    kept = sparse.csr_matrix(counts)
    kept.data[kept.data < COMPANIONS_MIN] = 0
    kept.eliminate_zeros()
    kept.sort_indices()
    return {
        f"{name}.starts": kept.indptr.astype(np.int32),
        f"{name}.columns": kept.indices.astype(np.int32),
        f"{name}.counts": kept.data.astype(np.int32),
    }
