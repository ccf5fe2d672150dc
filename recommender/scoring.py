"""How much speaks for each service: popularity for everyone, and the model's view of one person.

Both are shares that sum to one over the catalogue, so that they can stand beside each other in one answer.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from recommender.artifact import Artifact
from recommender.catalogue import Catalogue
from recommender.features import Feature


class Share(NamedTuple):
    """A service's share; `features` are those of the person that speak for it, strongest first (none: popularity)."""

    value: float
    features: tuple[str, ...] = ()


def popularity_shares(artifact: Artifact, catalogue: Catalogue) -> dict[str, Share]:
    """People who took each service, with its starting evidence, as shares of all."""
    index = artifact.service_index
    counts = {
        service.id: service.prior + (float(artifact.popularity[index[service.id]]) if service.id in index else 0.0)
        for service in catalogue.services
    }
    total = sum(counts.values()) or 1.0
    return {service: Share(count / total) for service, count in counts.items()}


def personal_shares(
    artifact: Artifact, catalogue: Catalogue, features: Mapping[str, Feature], *, sensitive: bool
) -> dict[str, Share]:
    """The model's shares for a person with these features.

    A service the model has not seen, and a sensitive one where sensitive facts are closed, keeps its popularity: what
    other features hint at must not stand in for a fact that may not be used.
    """
    shares = popularity_shares(artifact, catalogue)
    known = [name for name in sorted(features) if name in artifact.feature_index]
    modelled = [
        service.id
        for service in catalogue.services
        if service.id in artifact.service_index and (sensitive or not service.sensitive)
    ]
    if artifact.manifest.ranker == "popularity" or not known or not modelled:
        return shares
    rows = [artifact.feature_index[name] for name in known]
    weights = np.array([features[name][0] for name in known])
    weights /= weights.sum()
    columns = [artifact.service_index[service] for service in modelled]
    # One number per feature and service: the share of the score that the feature brings.
    parts = weights[:, None] * (
        artifact.features[rows].astype(np.float64) @ artifact.items[columns].T.astype(np.float64)
    )
    scores = parts.sum(axis=0) + artifact.biases[columns]
    share_left = sum(shares[service].value for service in modelled)
    values = share_left * _softmax(scores)
    lifts = parts - parts.mean(axis=1, keepdims=True)
    for place, service in enumerate(modelled):
        order = sorted(range(len(known)), key=lambda row: (-round(float(lifts[row, place]), 6), known[row]))
        spoken = tuple(known[row] for row in order if lifts[row, place] > 0)
        shares[service] = Share(float(values[place]), spoken)
    return shares


def _softmax(scores: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())
