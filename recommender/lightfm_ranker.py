"""The collaborative model: LightFM with WARP loss over hybrid features. The only module that knows the library.

One thread and a fixed seed, so that the same rows give the same bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from lightfm import LightFM
from scipy import sparse

from recommender.artifact import NORM_MAX

Matrix = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with the epochs done and the epochs in all."""


class ModelDiverged(Exception):
    """The fit ended in numbers no converged model has; it is not to be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How to fit. `identity_weight` is the weight of an item's own identity beside each of its features."""

    dimensions: int = 16
    epochs: int = 30
    learning_rate: float = 0.05
    identity_weight: float = 3.0
    seed: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One choice: the features (column, weight) of the person just before it, and the item chosen."""

    features: tuple[tuple[int, float], ...]
    item: int


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Representations:
    """Items with their features summed up (n×d and n), and the features of people (f×d)."""

    items: Matrix
    biases: Matrix
    features: Matrix


def fit_lightfm(
    examples: Sequence[Example],
    *,
    item_features: Sequence[Sequence[int]],
    feature_count: int,
    fit: Fit,
    progress: Progress,
) -> Representations:
    """Representations learnt from the examples in the order given; ModelDiverged where they are not usable.

    `item_features[i]` are the feature columns of item i. People have no identity column: one who is served has no row
    in the model, so none is fitted that serving would have to do without.
    """
    items = _item_rows(item_features, identity_weight=fit.identity_weight)
    people = _rows([example.features for example in examples], width=feature_count)
    chosen = sparse.coo_matrix(
        (np.ones(len(examples), np.float32), (np.arange(len(examples)), [example.item for example in examples])),
        shape=(len(examples), len(item_features)),
        dtype=np.float32,
    )
    model = LightFM(no_components=fit.dimensions, loss="warp", learning_rate=fit.learning_rate, random_state=fit.seed)
    for epoch in range(fit.epochs):
        try:
            # LightFM looks for what is not finite by adding everything up, which may itself overflow.
            with np.errstate(over="ignore", invalid="ignore"):
                model.fit_partial(chosen, user_features=people, item_features=items, epochs=1, num_threads=1)
        except ValueError as error:
            raise ModelDiverged(str(error)) from error
        progress(epoch + 1, fit.epochs)
    return _checked(
        Representations(
            items=np.asarray(items @ model.item_embeddings, dtype=np.float32),
            biases=np.asarray(items @ model.item_biases, dtype=np.float32),
            features=np.asarray(model.user_embeddings, dtype=np.float32),
        )
    )


def _item_rows(item_features: Sequence[Sequence[int]], *, identity_weight: float) -> Any:
    """The identity block stacked beside the features; each row sums to one."""
    count = len(item_features)
    rows = [
        [(item, identity_weight), *((count + feature, 1.0) for feature in features)]
        for item, features in enumerate(item_features)
    ]
    width = count + 1 + max((feature for features in item_features for feature in features), default=-1)
    return _rows(rows, width=width)


def _rows(rows: Sequence[Sequence[tuple[int, float]]], *, width: int) -> Any:
    """A sparse matrix whose rows sum to one: without that, one large value makes a fit diverge without any error."""
    pointers = [0]
    columns: list[int] = []
    values: list[float] = []
    for row in rows:
        total = sum(weight for _, weight in row) or 1.0
        columns.extend(column for column, _ in row)
        values.extend(weight / total for _, weight in row)
        pointers.append(len(columns))
    shape = (len(rows), width)
    return sparse.csr_matrix((np.array(values, np.float32), columns, pointers), shape=shape, dtype=np.float32)


def _checked(found: Representations) -> Representations:
    for name in ("items", "features"):
        matrix = getattr(found, name).astype(np.float64)
        if not np.isfinite(matrix).all():
            raise ModelDiverged(f"{name} are not finite")
        if matrix.size and float(np.linalg.norm(matrix, axis=1).max()) > NORM_MAX:
            raise ModelDiverged(f"{name} grew beyond {NORM_MAX}")
    return found
