"""The blend: what several rankers say of one person, added up by what each was found to be worth.

What people take again and what they take for the first time are two questions, and each has weights of its own. One
answer holds both: the weights for repeats decide how high what a person has stands among what they have not, those for
new items decide which of the latter come first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from recommender.interactions import IntArray, Interactions, Numbers, PersonRow
from recommender.rankers.protocol import Arrays, Plan, Progress, Ranker, quiet
from recommender.rankers.registry import RANKERS

Weights = Mapping[str, float]
"""Label of a part -> what it is worth; parts worth nothing are left out."""
_REPEAT: Final = "weights_repeat"
_NEW: Final = "weights_new"
_LEAST: Final = 1e-12
"""Below that, sums of scores differ by rounding."""


@dataclass(frozen=True, slots=True)
class Part:
    """A kind of ranker and how it is fitted."""

    kind: str
    plan: Plan

    @property
    def label(self) -> str:
        """The name of the kind, and what its plan changes: `item_knn@neighbours=20`."""
        return "@".join((self.kind, *(f"{name}={value:g}" for name, value in sorted(self.plan.items()))))

    def fit(self, data: Interactions, *, progress: Progress = quiet) -> Ranker:
        """The ranker fitted on the data; Unsuitable where it is not for them."""
        return RANKERS[self.kind].fit(data, plan=self.plan, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which parts a blend has, and what each is worth for repeats and for new items."""

    parts: Sequence[Part]
    repeat: Weights
    new: Weights

    def fit(self, data: Interactions, *, progress: Progress = quiet) -> "Blend":
        """The blend with all its parts fitted on the data; Unsuitable where one is not for them."""
        worth = {*self.repeat, *self.new}
        parts = {part.label: part.fit(data, progress=progress) for part in self.parts if part.label in worth}
        return Blend(parts=parts, repeat=self.repeat, new=self.new)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Blend:
    """A ranker of rankers; `parts` by label, and the weights of those that are worth something."""

    parts: Mapping[str, Ranker]
    repeat: Weights
    new: Weights
    name: str = "blend"
    _asked: Sequence[Ranker] = field(init=False, repr=False)
    """The parts that are worth something, in the order of their labels."""
    _worth: Numbers = field(init=False, repr=False)
    """What each of them is worth for repeats, and in a second row for what is new where that differs."""

    def __post_init__(self) -> None:
        labels = sorted({*self.repeat, *self.new})
        questions = (self.repeat,) if self.repeat == self.new else (self.repeat, self.new)
        worth = np.array([[weights.get(label, 0.0) for label in labels] for weights in questions])
        object.__setattr__(self, "_asked", [self.parts[label] for label in labels])
        object.__setattr__(self, "_worth", worth)

    def scores(self, person: PersonRow) -> Numbers:
        """The order that repeats ask for; with what is new in the places of what is new, in its own order."""
        scores = np.array([part.scores(person) for part in self._asked])
        centred, spread = _centred(scores, out=scores)
        found = np.einsum("qp,pi->qi", self._worth / spread, centred)
        return found[0] if len(found) == 1 else placed(*found, owned=person.items)

    def arrays(self) -> Arrays:
        labels = sorted(self.parts)
        own = {f"{label}.{name}": array for label in labels for name, array in self.parts[label].arrays().items()}
        weights = {_REPEAT: self.repeat, _NEW: self.new}
        return {
            **own,
            **{name: np.array([worth.get(label, 0.0) for label in labels]) for name, worth in weights.items()},
        }


def from_arrays(arrays: Arrays) -> Blend:
    """The blend whose arrays these are; its parts follow from their names."""
    by_label: dict[str, dict[str, object]] = {}
    for name in arrays:
        label, dot, array = name.rpartition(".")
        if dot:
            by_label.setdefault(label, {})[array] = arrays[name]
    labels = sorted(by_label)
    repeat, new = (
        {label: float(worth) for label, worth in zip(labels, arrays[name], strict=True) if worth}
        for name in (_REPEAT, _NEW)
    )
    parts = {
        label: RANKERS[kind_of(label)].from_arrays({k: np.asarray(v) for k, v in by_label[label].items()})
        for label in labels
    }
    return Blend(parts=parts, repeat=repeat, new=new)


def kind_of(label: str) -> str:
    """The kind of the part with this label."""
    return label.partition("@")[0]


def standard(scores: Numbers) -> Numbers:
    """With mean nought and spread one over all items (the last axis), so that scores of rankers can be added."""
    centred, spread = _centred(scores)
    found: Numbers = centred / spread[..., None]
    return found


def _centred(scores: Numbers, *, out: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """The scores with mean nought over all items (the last axis), and their spread; 1 where all are equal."""
    count = max(scores.shape[-1], 1)
    found: Numbers = np.subtract(scores, np.add.reduce(scores, axis=-1, keepdims=True) / count, out=out)
    spread = np.sqrt(np.einsum("...i,...i->...", found, found) / count)
    return found, np.where(spread > 0, spread, 1.0)


def placed(scores: Numbers, new: Numbers, *, owned: IntArray) -> Numbers:
    """The scores, but those of what is not `owned` in the order of `new`: mapped so that mean and greatest stay."""
    count = len(scores) - len(owned)
    if not count:
        return scores
    middle, top = _middle_and_top(scores, owned, count)
    other, other_top = _middle_and_top(new, owned, count)
    reach = other_top - other
    factor = max(top - middle, _LEAST) / (reach if reach > _LEAST else 1.0)
    found: Numbers = new - other
    found *= factor
    found += middle
    found[owned] = scores[owned]
    return found


def _middle_and_top(scores: Numbers, owned: IntArray, count: int) -> tuple[float, float]:
    """The mean and the greatest of the `count` scores of what is not owned; those that are stand aside meanwhile."""
    kept = scores[owned]
    scores[owned] = 0.0
    middle = float(np.add.reduce(scores)) / count
    scores[owned] = -np.inf
    top = float(np.maximum.reduce(scores))
    scores[owned] = kept
    return middle, top
