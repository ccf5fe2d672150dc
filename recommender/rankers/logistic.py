"""One logistic model per item, fitted together: which of the items a person has not got do they take next.

The choice is among what they could still take (multinomial logit: McFadden 1974), so that a service most people have
already, or may not have, tells nothing about those who have not. What speaks: what they have, how much they have,
and what is known of them.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy
from scipy import sparse

from recommender.interactions import Interactions, LongArray, Numbers, PersonRow, Sparse
from recommender.rankers.heads import on_head
from recommender.rankers.protocol import Arrays, Plan, Progress, RankerKind, Unsuitable
from recommender.rankers.situations import greatest, situations

_SITUATIONS_MAX: Final = 50_000
_CELLS_MAX: Final = 8_000_000
"""Situations times items: of more situations, some are drawn with a fixed seed."""
_HAD_MAX: Final = 2_000_000
_STEP_MAX: Final = 400_000_000
"""Items had times items: what a step of the fit costs."""
_BANDS: Final = np.array([1, 2, 3, 5, 8, 13, 21, 34])
_STEPS_MAX: Final = 40
_PENALTY: Final = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class Logistic:
    """Weights of what a person has (m x m), of how many they have (bands x m) and of their features (f x m)."""

    having: npt.NDArray[np.float32]
    amount: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]
    name: str = "logistic"

    def scores(self, person: PersonRow) -> Numbers:
        found: Numbers = self.amount[_bands(np.array([len(person.items)]))[0]].astype(np.float64)
        found += self.having.take(person.items, axis=0).sum(axis=0)
        found += np.einsum("i,ij->j", person.weights, self.features.take(person.features, axis=0))
        return found

    def arrays(self) -> Arrays:
        return {"having": self.having, "amount": self.amount, "features": self.features}


def fit(data: Interactions, *, plan: Plan, progress: Progress) -> Logistic:
    """`penalty` is the L2 penalty on all weights, against the sum over the situations."""
    items = max(len(data.items), 1)
    most, had_most = min(_SITUATIONS_MAX, _CELLS_MAX // items), min(_HAD_MAX, _STEP_MAX // items)
    found = situations(data, most=most, had_most=had_most)
    if not len(found.person):
        raise Unsuitable("nobody took anything")
    scale = greatest(data)
    about = (data.features @ sparse.diags(1 / scale)).tocsr()[found.person]
    bands = _bands(np.diff(found.had.indptr))
    amount = sparse.csr_matrix(
        (np.ones(len(bands)), (np.arange(len(bands)), bands)), shape=(len(bands), _BANDS.size + 1)
    )
    inputs = sparse.hstack([found.had, amount, about], format="csr", dtype=np.float32)
    weights = _fitted(inputs, found.took, closed=_closed(data, found.person, found.had), plan=plan, progress=progress)
    having, of_amount, features = np.split(weights, [len(data.items), len(data.items) + _BANDS.size + 1])
    return Logistic(having, of_amount, (features / scale[:, None]).astype(np.float32))


def _bands(sizes: npt.NDArray[Any]) -> LongArray:
    return np.searchsorted(_BANDS, sizes, side="right").astype(np.int64)


def _closed(data: Interactions, person: npt.NDArray[Any], had: Sparse) -> Sparse:
    """What was no choice: what they had, and what they may not have."""
    closed = had.astype(np.bool_)
    if data.eligible is None:
        return closed
    everything = np.ones((len(person), len(data.items)), np.bool_)
    return closed + sparse.csr_matrix(everything & ~data.eligible[person].toarray())


def _fitted(inputs: Sparse, took: Sparse, *, closed: Sparse, plan: Plan, progress: Progress) -> npt.NDArray[np.float32]:
    """The weights (inputs x items) of the greatest penalised likelihood."""
    penalty = plan.get("penalty", _PENALTY)
    rows = np.repeat(np.arange(closed.shape[0]), np.diff(closed.indptr))
    columns = closed.indices
    target = took.toarray()
    target /= target.sum(axis=1, keepdims=True)
    turned = inputs.T.tocsr()
    shape = (inputs.shape[1], took.shape[1])
    steps = 0

    def loss(flat: Numbers) -> tuple[float, Numbers]:
        weights = flat.reshape(shape).astype(np.float32)
        logits = inputs @ weights
        logits[rows, columns] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        chance = np.exp(logits)
        total = chance.sum(axis=1, keepdims=True)
        chance /= total
        said = np.where(target > 0, logits - np.log(total), 0.0)
        slope = (turned @ (chance - target)).astype(np.float64).ravel() + penalty * flat
        return float(penalty / 2 * (flat @ flat) - (target * said).sum(dtype=np.float64)), slope

    def told(_weights: Numbers) -> None:
        nonlocal steps
        steps += 1
        progress(steps, _STEPS_MAX)

    start = np.zeros(shape[0] * shape[1])
    # Loaded when a fit asks for it: every process imports this module, and few of them fit.
    found = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", callback=told, options={"maxiter": _STEPS_MAX}
    )
    progress(_STEPS_MAX, _STEPS_MAX)
    return np.asarray(found.x, np.float32).reshape(shape)


def _from_arrays(arrays: Arrays) -> Logistic:
    having, amount, features = (np.asarray(arrays[name], np.float32) for name in ("having", "amount", "features"))
    return Logistic(having, amount, features)


KIND: Final = on_head(RankerKind(name="logistic", fit=fit, from_arrays=_from_arrays, plans=({}, {"penalty": 100.0})))
