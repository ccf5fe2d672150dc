"""How much speaks for each service: popularity for everyone, and the model's view of one person.

Both are shares that sum to one over the catalogue, so that they can stand beside each other in one answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recommender.artifact import Artifact
from recommender.catalogue import Catalogue
from recommender.features import Feature


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Shares:
    """The share of each service, and for those the model scored what brought it there.

    `lifts` holds, by feature (a row for each of `names`) and service (a column at `places`), how much more the feature
    brings this service than it brings the others.
    """

    values: Mapping[str, float]
    names: tuple[str, ...] = ()
    places: Mapping[str, int] = field(default_factory=dict)
    lifts: npt.NDArray[np.float64] | None = None

    def speaking_for(self, service: str) -> tuple[str, ...]:
        """The person's features that speak for the service, strongest first; none where popularity alone does."""
        if self.lifts is None or service not in self.places:
            return ()
        lifts = zip(self.lifts[:, self.places[service]].tolist(), self.names, strict=True)
        return tuple(name for lift, name in sorted((-round(lift, 6), name) for lift, name in lifts) if lift < 0)


def popularity_shares(artifact: Artifact, catalogue: Catalogue) -> Shares:
    """People who took each service, with its starting evidence, as shares of all."""
    return Shares(values=_popular(artifact, catalogue))


def personal_shares(
    artifact: Artifact, catalogue: Catalogue, features: Mapping[str, Feature], *, sensitive: bool
) -> Shares:
    """The model's shares for a person with these features.

    A service the model has not seen, and a sensitive one where sensitive facts are closed, keeps its popularity: what
    other features hint at must not stand in for a fact that may not be used.
    """
    values = _popular(artifact, catalogue)
    names = tuple(name for name in sorted(features) if name in artifact.feature_index)
    modelled = [
        service.id
        for service in catalogue.services
        if service.id in artifact.service_index and (sensitive or not service.sensitive)
    ]
    if artifact.manifest.ranker == "popularity" or not names or not modelled:
        return Shares(values=values)
    parts = _parts(artifact, names, modelled, np.array([features[name][0] for name in names]))
    scores = parts.sum(axis=0) + artifact.biases[[artifact.service_index[service] for service in modelled]]
    # The model divides among the services it may score what popularity gives them together.
    shares = sum(values[service] for service in modelled) * _softmax(scores)
    values.update(zip(modelled, shares.tolist(), strict=True))
    return Shares(
        values=values,
        names=names,
        places={service: place for place, service in enumerate(modelled)},
        lifts=parts - parts.mean(axis=1, keepdims=True),
    )


def _popular(artifact: Artifact, catalogue: Catalogue) -> dict[str, float]:
    index, people = artifact.service_index, artifact.popularity.tolist()
    counts = {
        service.id: service.prior + (people[index[service.id]] if service.id in index else 0.0)
        for service in catalogue.services
    }
    total = sum(counts.values()) or 1.0
    return {service: count / total for service, count in counts.items()}


def _parts(
    artifact: Artifact, names: tuple[str, ...], services: list[str], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """What each feature (row) adds to each service's score (column)."""
    rows = [artifact.feature_index[name] for name in names]
    columns = [artifact.service_index[service] for service in services]
    products = artifact.features[rows].astype(np.float64) @ artifact.items[columns].astype(np.float64).T
    return np.asarray((weights / weights.sum())[:, None] * products)


def _softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())
