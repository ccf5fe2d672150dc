"""What a model serves with: its ranker and its probabilities, made of the artifact's arrays once."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from recommender import blend, calibration
from recommender.artifact import POPULARITY, Artifact, ArtifactUnfit
from recommender.blend import Blend
from recommender.calibration import Calibration
from recommender.features import Feature
from recommender.interactions import NOBODY, PersonRow
from recommender.personal import Taking

RANKER: Final = "ranker"
CALIBRATION: Final = "calibration"


class Served(NamedTuple):
    """The ranker is None where popularity serves, the calibration where nothing was learnt of probabilities."""

    ranker: Blend | None
    calibration: Calibration | None


_SERVED: Final[WeakKeyDictionary[Artifact, Served]] = WeakKeyDictionary()


def served_by(artifact: Artifact) -> Served:
    """What the artifact serves with; it is kept as long as the artifact is. ArtifactUnfit where its arrays are none."""
    if artifact not in _SERVED:
        _SERVED[artifact] = _checked(artifact)
    return _SERVED[artifact]


def person_row(
    own: Mapping[str, Sequence[Taking]],
    features: Mapping[str, Feature],
    *,
    services: Mapping[str, int],
    names: Mapping[str, int],
    at: int,
) -> PersonRow:
    """The person as a ranker sees them at `at` (ms): what it knows of their takings and features.

    `services` and `names` are the columns of services and features it was fitted with.
    """
    taken = sorted((services[service], found) for service, found in own.items() if service in services)
    known = sorted((names[name], weight) for name, (weight, _) in features.items() if name in names)
    return PersonRow(
        items=np.array([item for item, _ in taken], np.int32),
        counts=np.array([len(found) for _, found in taken], np.float64),
        last=np.array([max([each.at for each in found]) for _, found in taken], np.int64),
        features=np.array([column for column, _ in known], np.int32),
        weights=np.array([weight for _, weight in known], np.float64),
        at=at,
    )


def _checked(artifact: Artifact) -> Served:
    count = len(artifact.manifest.services)
    try:
        arrays = artifact.part(CALIBRATION)
        learnt = calibration.from_arrays(arrays) if arrays else None
        if learnt is not None and len(learnt.services) != count:
            raise ArtifactUnfit("the calibration is of other services")
        if artifact.manifest.ranker == POPULARITY:
            return Served(None, learnt)
        if learnt is None:
            raise ArtifactUnfit("the ranker has no calibration")
        ranker = blend.from_arrays(artifact.part(RANKER))
        for row in (NOBODY, _everything(artifact)):
            scores = ranker.scores(row)
            if scores.shape != (count,) or not np.isfinite(scores).all():
                raise ArtifactUnfit("the ranker does not score the services")
    except (ValueError, KeyError, IndexError, TypeError, ZeroDivisionError) as error:
        raise ArtifactUnfit(f"the arrays make no ranker: {type(error).__name__}") from error
    return Served(ranker, learnt)


def _everything(artifact: Artifact) -> PersonRow:
    """Somebody who took everything and has every feature: a ranker that scores them lacks no array."""
    services, features = len(artifact.manifest.services), len(artifact.manifest.features)
    return PersonRow(
        items=np.arange(services, dtype=np.int32),
        counts=np.ones(services),
        last=np.zeros(services, np.int64),
        features=np.arange(features, dtype=np.int32),
        weights=np.ones(features),
        at=0,
    )
