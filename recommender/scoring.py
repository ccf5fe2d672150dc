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
        if self.parts is None or self.modelled is None or (row := self.modelled.row.get(place)) is None:
            return ()
        lifts = _products(self.parts, self.modelled.lifted[row]).round(6).tolist()
        speaking = [(-lift, name) for lift, name in zip(lifts, self.names, strict=True) if lift > 0]
        return tuple(name for _, name in sorted(speaking))


def popularity_shares(shelf: Shelf) -> Shares:
    """People who took each service, with its starting evidence, as shares of all."""
    return Shares(values=shelf.popularity)


def personal_shares(shelf: Shelf, features: Mapping[str, Feature], *, sensitive: bool) -> Shares:
    """The model's shares for a person with these features.

    A service the model has not seen, and a sensitive one where sensitive facts are closed, keeps its popularity: what
    other features hint at must not stand in for a fact that may not be used.
    """
    artifact, modelled = shelf.artifact, shelf.modelled[sensitive]
    index = artifact.feature_index
    names = tuple(name for name in sorted(features) if name in index)
    if artifact.manifest.ranker == "popularity" or not names or not modelled.row:
        return popularity_shares(shelf)
    weights = np.array([features[name][0] for name in names])
    parts = (weights / weights.sum())[:, None] * artifact.features[[index[name] for name in names]]
    scores = _products(modelled.items, parts.sum(axis=0)) + modelled.biases
    # The model divides among the services it may score what popularity gives them together.
    values = modelled.share * _softmax(scores)
    if len(modelled.row) < len(shelf.services):
        among_all = shelf.popularity.copy()
        among_all[modelled.places] = values
        values = among_all
    return Shares(values=values, names=names, parts=parts, modelled=modelled)


def _products(rows: Numbers, vector: Numbers) -> Numbers:
    """Each row times the vector. Not by BLAS, whose threads would wait for cores that other requests use."""
    return np.asarray(np.einsum("ij,j->i", rows, vector))


def _softmax(scores: Numbers) -> Numbers:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())
