"""LightFM as it is usually told of: a row for every person. For comparison only, as it cannot be served.

Whoever it is fitted on is in the model, and whoever came later is not. Beside it, the ranker that is served shows what
that costs or earns.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recommender.interactions import IntArray, Interactions, Numbers
from recommender.rankers.lightfm_hybrid import item_rows, normalised, warp
from recommender.rankers.protocol import Plan, Progress, quiet
from recommender.rankers.situations import greatest

LABEL: Final = "lightfm, a row for each person"
_PLAN: Final[Plan] = {"dimensions": 16.0, "epochs": 30.0}
_VISITS_MAX: Final = 30_000_000
"""Pairs of person and item times epochs: of very many pairs, fewer epochs."""


def fit(data: Interactions, *, plan: Plan = _PLAN, progress: Progress = quiet) -> Callable[[IntArray], Numbers]:
    """What answers the scores (P x m) of people by their rows in the data; ModelDiverged.

    A person is their own row and their features; an item its identity and its features.
    """
    taken = data.taken.copy()
    taken.data = np.ones_like(taken.data)
    plan = {**plan, "epochs": min(plan.get("epochs", 30.0), max(_VISITS_MAX // max(taken.nnz, 1), 1))}
    identity = sparse.identity(len(data.people), dtype=np.float32)
    people = normalised(sparse.hstack([identity, abs(data.features) @ sparse.diags(1 / greatest(data))], format="csr"))
    items = item_rows(data, identity_weight=plan.get("identity_weight", 3.0))
    model = warp(taken.astype(np.float32), people=people, items=items, plan=plan, progress=progress)
    vectors: npt.NDArray[Any] = people @ model.user_embeddings
    of_items: npt.NDArray[Any] = items @ model.item_embeddings
    biases = items @ model.item_biases

    def scores(numbers: IntArray) -> Numbers:
        found: Numbers = np.einsum("pd,md->pm", vectors[numbers], of_items).astype(np.float64) + biases
        return found

    return scores
