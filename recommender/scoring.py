"""How much speaks for each service: popularity for everyone, and the model's view of one person.

Both are shares that sum to one over the catalogue, so that they can stand beside each other in one answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.features import Feature
from recommender.shelf import Modelled, Numbers, Shelf


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Shares:
    """The share of each service by place, and for those the model scored what brought it there.

    `parts` (a row for each of `names`) are the person's features as the model knows them, each with its weight.
    """

    values: Numbers
    names: tuple[str, ...] = ()
    parts: Numbers | None = None
    modelled: Modelled | None = None

    def speaking_for(self, place: int) -> tuple[str, ...]:
        """The person's features that speak for the service, strongest first; none where popularity alone does.

        A feature speaks for a service when it brings it more than it brings the others on average.
        """
        if self.parts is None or self.modelled is None:
            return ()
        row = int(np.searchsorted(self.modelled.places, place))
        if row == len(self.modelled.places) or self.modelled.places[row] != place:
            return ()
        lifts = (self.parts @ (self.modelled.items[row] - self.modelled.mean)).tolist()
        ordered = sorted((-round(lift, 6), name) for lift, name in zip(lifts, self.names, strict=True))
        return tuple(name for lift, name in ordered if lift < 0)


def popularity_shares(shelf: Shelf) -> Shares:
    """People who took each service, with its starting evidence, as shares of all."""
    return Shares(values=shelf.popularity)


def personal_shares(shelf: Shelf, features: Mapping[str, Feature], *, sensitive: bool) -> Shares:
    """The model's shares for a person with these features.

    A service the model has not seen, and a sensitive one where sensitive facts are closed, keeps its popularity: what
    other features hint at must not stand in for a fact that may not be used.
    """
    artifact, modelled = shelf.artifact, shelf.modelled[sensitive]
    names = tuple(name for name in sorted(features) if name in artifact.feature_index)
    if artifact.manifest.ranker == "popularity" or not names or not len(modelled.places):
        return popularity_shares(shelf)
    weights = np.array([features[name][0] for name in names])
    rows = [artifact.feature_index[name] for name in names]
    parts = (weights / weights.sum())[:, None] * artifact.features[rows].astype(np.float64)
    scores = modelled.items @ parts.sum(axis=0) + modelled.biases
    values = shelf.popularity.copy()
    # The model divides among the services it may score what popularity gives them together.
    values[modelled.places] = values[modelled.places].sum() * _softmax(scores)
    return Shares(values=values, names=names, parts=parts, modelled=modelled)


def _softmax(scores: Numbers) -> Numbers:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())
