"""Item-kNN: items that the same people take as those the person has, by cosine over people.

It is fitted on who took what, not on how often: staples that everybody takes daily would be near to everything.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from recommender.interactions import IntArray, Interactions, LongArray, Numbers, PersonRow
from recommender.rankers.popularity import tie_break
from recommender.rankers.protocol import Arrays, Plan, Progress, RankerKind

_NEIGHBOURS: Final = 100.0
_BLOCK: Final = 256


@dataclass(frozen=True, eq=False, slots=True)
class ItemKnn:
    """Nearest to item i are `near[starts[i]:starts[i+1]]`, with their `cosine`; `otherwise` (m) breaks ties."""

    starts: LongArray
    near: IntArray
    cosine: Numbers
    otherwise: Numbers
    name: str = "item_knn"

    def scores(self, person: PersonRow) -> Numbers:
        if not len(person.items):
            return self.otherwise.copy()
        starts, ends = self.starts.take(person.items).tolist(), self.starts.take(person.items + 1).tolist()
        rows = list(map(slice, starts, ends))
        near = np.concatenate([self.near[row] for row in rows])
        cosine = np.concatenate([self.cosine[row] for row in rows])
        found: Numbers = np.bincount(near, weights=cosine, minlength=len(self.otherwise)) / len(rows)
        found += self.otherwise
        return found

    def arrays(self) -> Arrays:
        return {"starts": self.starts, "near": self.near, "cosine": self.cosine, "otherwise": self.otherwise}


def fit(data: Interactions, *, plan: Plan, progress: Progress) -> ItemKnn:
    """`neighbours` are kept of each item; block by block, so that no m x m matrix is held."""
    keep = int(plan.get("neighbours", _NEIGHBOURS))
    who = sparse.csc_matrix(data.taken)
    who.data = np.ones_like(who.data)
    people = np.diff(who.indptr)
    unit = who @ sparse.diags(1 / np.sqrt(np.maximum(people, 1)))
    items = len(data.items)
    sizes, near, cosine = [0], [], []
    for start in range(0, items, _BLOCK):
        block = np.asarray((unit[:, start : start + _BLOCK].T @ unit).todense())
        for row, alike in enumerate(block):
            alike[start + row] = 0.0
            places = np.sort(np.argsort(-alike, kind="stable")[:keep])
            places = places[alike[places] > 0]
            sizes.append(len(places))
            near.append(places)
            cosine.append(alike[places])
        progress(min(start + _BLOCK, items), items)
    return ItemKnn(
        starts=np.cumsum(sizes, dtype=np.int64),
        near=np.concatenate([np.zeros(0, np.int32), *near]).astype(np.int32),
        cosine=np.concatenate([np.zeros(0), *cosine]),
        otherwise=tie_break(data),
    )


def _from_arrays(arrays: Arrays) -> ItemKnn:
    return ItemKnn(
        starts=np.asarray(arrays["starts"], np.int64),
        near=np.asarray(arrays["near"], np.int32),
        cosine=np.asarray(arrays["cosine"], np.float64),
        otherwise=np.asarray(arrays["otherwise"], np.float64),
    )


KIND: Final = RankerKind(name="item_knn", fit=fit, from_arrays=_from_arrays, plans=({}, {"neighbours": 20.0}))
