"""How much speaks for each service: popularity for everyone, and the model's view of one person.

Both are shares that sum to one over the catalogue, so that they can stand beside each other in one answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recommender.features import Feature, person_features
from recommender.personal import PersonalFacts, Taking
from recommender.shelf import Modelled, Numbers, Shelf


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Shares:
    """The share of each service by place, and for those the model scored what brought it there.

    `features` are the person's, by name, with the cells they rest on: whatever speaks for a service is named there.
    `parts` (a row for each of `names`) are those the model knows, each with its weight.
    """

    values: Numbers
    features: Mapping[str, Feature] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    parts: Numbers | None = None
    modelled: Modelled | None = None

    def speaking_for(self, places: Sequence[int]) -> list[tuple[str, ...]]:
        """For each service the person's features that speak for it, strongest first; none where popularity alone does.

        A feature speaks for a service when it brings it more than it brings the others on average.
        """
        if self.parts is None or self.modelled is None:
            return [()] * len(places)
        row = self.modelled.row
        scored = [place for place in places if place in row]
        lifted = self.modelled.lifted.take([row[place] for place in scored], axis=0)
        lifts = np.einsum("ij,kj->ik", lifted, self.parts).round(6).tolist()
        found = {place: self._strongest(of_place) for place, of_place in zip(scored, lifts, strict=True)}
        return [found.get(place, ()) for place in places]

    def _strongest(self, lifts: list[float]) -> tuple[str, ...]:
        speaking = [(-lift, name) for lift, name in zip(lifts, self.names, strict=True) if lift > 0]
        return tuple(name for _, name in sorted(speaking))


def popularity_shares(shelf: Shelf) -> Shares:
    """People who took each service, with its starting evidence, as shares of all."""
    return Shares(values=shelf.popularity)


def personal_shares(shelf: Shelf, facts: PersonalFacts, *, held: Mapping[str, Taking], at: int) -> Shares:
    """The model's shares for a person known by these facts at `at` (ms).

    `held` are the services they have that may speak for others. A service the model has not seen, and a sensitive one
    where sensitive facts are closed, keeps its popularity: what other features hint at must not stand in for a fact
    that may not be used.
    """
    features = person_features(facts, held=held, at=at)
    return replace(_modelled_shares(shelf, features, sensitive=facts.has_sensitive), features=features)


def _modelled_shares(shelf: Shelf, features: Mapping[str, Feature], *, sensitive: bool) -> Shares:
    artifact, modelled = shelf.artifact, shelf.modelled[sensitive]
    index = artifact.feature_index
    names = tuple(name for name in sorted(features) if name in index)
    if artifact.manifest.ranker == "popularity" or not names or not modelled.row:
        return popularity_shares(shelf)
    weights = np.array([features[name][0] for name in names])
    parts = (weights / weights.sum())[:, None] * artifact.features.take([index[name] for name in names], axis=0)
    # Not by BLAS, whose threads would wait for cores that other requests use.
    scores = np.einsum("ij,j->i", modelled.items, parts.sum(axis=0))
    scores += modelled.biases
    # The model divides among the services it may score what popularity gives them together.
    values = _softmax(scores)
    values *= modelled.share
    if len(modelled.row) < len(shelf.services):
        among_all = shelf.popularity.copy()
        among_all[modelled.places] = values
        values = among_all
    return Shares(values=values, names=names, parts=parts, modelled=modelled)


def _softmax(scores: Numbers) -> Numbers:
    """In the place of the scores."""
    scores -= scores.max()
    np.exp(scores, out=scores)
    scores /= scores.sum()
    return scores
