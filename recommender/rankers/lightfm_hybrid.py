"""LightFM with WARP loss over hybrid features (Kula 2015, arXiv 1507.08439). The only ranker that knows the library.

A person is what they have and what is known of them, so the last event counts and none who is served needs a row in
the model. One thread and a fixed seed, so that the same rows give the same bytes.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from lightfm import LightFM
from scipy import sparse

from recommender.interactions import Interactions, Numbers, PersonRow, Sparse
from recommender.rankers.protocol import Arrays, Plan, Progress, RankerKind, Unsuitable
from recommender.rankers.situations import greatest, situations

NORM_MAX: Final = 100.0
"""A representation longer than this did not converge."""
_DIMENSIONS: Final = 16.0
_EPOCHS: Final = 15.0
_IDENTITY: Final = 3.0
_RATE: Final = 0.05
_SEED: Final = 7
_SITUATIONS_MAX: Final = 1_000_000
_HAD_MAX: Final = 5_000_000

Matrix = npt.NDArray[np.float32]


class ModelDiverged(Unsuitable):
    """The fit ended in numbers no converged model has; it is not to be served."""


@dataclass(frozen=True, eq=False, slots=True)
class LightFmHybrid:
    """`items` (m x d) with `biases` (m); what a person has is `having` (m x d), what they are `features` (f x d).

    `nobody` (d) stands for each person before anything is known of them; the weights of features are taken as shares
    of `greatest` (f).
    """

    items: Matrix
    biases: Matrix
    having: Matrix
    features: Matrix
    nobody: Matrix
    greatest: Matrix
    name: str = "lightfm"

    def __post_init__(self) -> None:
        # Asked for all items at once: a column per dimension is read three times as fast as a row per item.
        object.__setattr__(self, "items", np.asfortranarray(self.items))

    def scores(self, person: PersonRow) -> Numbers:
        vector = self.nobody + np.add.reduce(self.having.take(person.items, axis=0), axis=0)
        weights = np.abs(person.weights) / self.greatest.take(person.features)
        vector = vector + np.einsum("i,ij->j", weights, self.features.take(person.features, axis=0))
        vector /= 1.0 + len(person.items) + float(np.add.reduce(weights))
        # Not by BLAS, whose threads would wait for cores that other requests use.
        found = np.einsum("ij,j->i", self.items, vector.astype(np.float32))
        scores: Numbers = np.add(found, self.biases, dtype=np.float64)
        return scores

    def arrays(self) -> Arrays:
        return {name: getattr(self, name) for name in _ARRAYS}


_ARRAYS: Final = ("items", "biases", "having", "features", "nobody", "greatest")
_LEARNT: Final = _ARRAYS[:-1]


def fit(data: Interactions, *, plan: Plan, progress: Progress) -> LightFmHybrid:
    """`dimensions`, `epochs`, `identity_weight`, `learning_rate`, `seed`; ModelDiverged where it cannot be served.

    `identity_weight` is the weight of an item's own identity beside each of its features.
    """
    found = situations(data, most=_SITUATIONS_MAX, had_most=_HAD_MAX)
    if not len(found.person):
        raise Unsuitable("nobody took anything")
    everyone = np.ones((len(found.person), 1), np.float32)
    scale = greatest(data)
    about = (abs(data.features) @ sparse.diags(1 / scale)).tocsr()[found.person]
    people = normalised(sparse.hstack([everyone, found.had, about], format="csr"))
    items = item_rows(data, identity_weight=plan.get("identity_weight", _IDENTITY))
    # What they have is no answer that was passed over: marked so, it is not drawn as one.
    model = warp(found.took - found.had, people=people, items=items, plan=plan, progress=progress)
    width = len(data.items)
    nobody, having, features = np.split(np.asarray(model.user_embeddings, np.float32), [1, 1 + width])
    made = LightFmHybrid(
        items=np.asarray(items @ model.item_embeddings, np.float32),
        biases=np.asarray(items @ model.item_biases, np.float32),
        having=having,
        features=features,
        nobody=nobody[0],
        greatest=scale.astype(np.float32),
    )
    return _checked(made)


def warp(took: Sparse, *, people: Sparse, items: Sparse, plan: Plan, progress: Progress) -> Any:
    """A LightFM model fitted on what rows of `people` features took (rows x m, above nought); ModelDiverged.

    What stands there below nought is neither taken nor passed over.
    """
    model = LightFM(
        no_components=int(plan.get("dimensions", _DIMENSIONS)),
        loss="warp",
        learning_rate=plan.get("learning_rate", _RATE),
        random_state=int(plan.get("seed", _SEED)),
    )
    epochs = int(plan.get("epochs", _EPOCHS))
    chosen = took.tocoo()
    for epoch in range(epochs):
        try:
            # LightFM looks for what is not finite by adding everything up, which may itself overflow.
            with np.errstate(over="ignore", invalid="ignore"):
                model.fit_partial(chosen, user_features=people, item_features=items, epochs=1, num_threads=1)
        except ValueError as error:
            raise ModelDiverged(str(error)) from error
        progress(epoch + 1, epochs)
    return model


def item_rows(data: Interactions, *, identity_weight: float) -> Sparse:
    """The identity block stacked beside the features of items (m x (m + g)); each row sums to one."""
    identity = sparse.identity(len(data.items), dtype=np.float32) * identity_weight
    return normalised(sparse.hstack([identity, abs(data.item_features)], format="csr"))


def normalised(rows: Sparse) -> Sparse:
    """Rows that sum to one: without that, one large value makes a fit diverge without any error."""
    totals = np.asarray(rows.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(1 / np.where(totals > 0, totals, 1.0)) @ rows, dtype=np.float32)


def _checked(made: LightFmHybrid) -> LightFmHybrid:
    for name in _LEARNT:
        array: Matrix = getattr(made, name)
        if not np.isfinite(array).all():
            raise ModelDiverged(f"{name} are not finite")
        norms = np.linalg.norm(np.atleast_2d(array.astype(np.float64)), axis=1) if name != "biases" else abs(array)
        if norms.size and float(norms.max()) > NORM_MAX:
            raise ModelDiverged(f"{name} grew beyond {NORM_MAX}")
    return made


def _from_arrays(arrays: Arrays) -> LightFmHybrid:
    items, biases, having, features, nobody, scale = (np.asarray(arrays[name], np.float32) for name in _ARRAYS)
    return LightFmHybrid(items, biases, having, features, nobody, scale)


KIND: Final = RankerKind(name="lightfm", fit=fit, from_arrays=_from_arrays, plans=({}, {"epochs": 5.0}))
