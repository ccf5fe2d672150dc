"""How likely each service is to be accepted when it is presented: for anybody, and for one person.

Both are probabilities, so that they can stand beside each other in one answer. Before the first training there are
none: then the shares of the catalogue's starting evidence stand in their place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recommender.artifact import Artifact, Counts
from recommender.features import Feature, own_takings, person_features
from recommender.personal import PersonalFacts, Taking
from recommender.reasons import COMPANIONS_MIN
from recommender.served import person_row
from recommender.shelf import Modelled, Numbers, Shelf


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Shares:
    """The probability of each service by place, and what of the person may speak for one.

    `features` are the person's, by name, with the cells they rest on; `own` the services they took. Both are empty
    where popularity alone decides.
    """

    values: Numbers
    features: Mapping[str, Feature] = field(default_factory=dict)
    own: Sequence[str] = ()
    artifact: Artifact | None = None
    modelled: Modelled | None = None

    def speaking_for(self, places: Sequence[int]) -> list[tuple[str, ...]]:
        """For each service what of the person speaks for it; none where popularity alone does.

        Names are `with:<service>` for what they took, then `segment:<feature>` for a name of `features`, each strongest
        first: more of the people who have it took the service than of all people, counted in the artifact. That they
        took the service itself before (`repeat:`) needs no count of others and is for who tells the reasons to say.
        """
        if self.artifact is None or self.modelled is None:
            return [()] * len(places)
        row = self.modelled.row
        scored = [place for place in places if place in row]
        columns = np.array([row[place] for place in scored], np.intp)
        names, lifts = _lifts(self.own, self.features, columns=columns, artifact=self.artifact)
        found = {place: _strongest(names, of_place) for place, of_place in zip(scored, lifts.T.tolist(), strict=True)}
        return [found.get(place, ()) for place in places]


def popularity_shares(shelf: Shelf) -> Shares:
    """The probability of each service for anybody: by how many took it, and its starting evidence."""
    return Shares(values=shelf.propensity)


def personal_shares(shelf: Shelf, facts: PersonalFacts, *, held: Mapping[str, Taking], at: int) -> Shares:
    """The probabilities for a person known by these facts at `at` (ms).

    `held` are the services they have that may speak for others. A service the model has not seen, and a sensitive one
    where sensitive facts are closed, keeps what it has for anybody: what other features hint at must not stand in for
    a fact that may not be used.
    """
    features = person_features(facts, catalogue=shelf.catalogue, at=at)
    ranker, calibration = shelf.served
    own, artifact = own_takings(facts, shelf.catalogue), shelf.artifact
    row = person_row(own, features, services=artifact.service_index, names=artifact.feature_index, at=at)
    if ranker is None or calibration is None or not len(row.items) + len(row.features):
        return Shares(values=shelf.propensity, features=features)
    found = calibration.personal(ranker.scores(row), had=row.items, takings=float(row.counts.sum()))
    modelled = shelf.modelled[facts.has_sensitive]
    values = found.take(modelled.rows)
    if len(values) < len(shelf.services):
        values, of_those = shelf.propensity.copy(), values
        values[modelled.places] = of_those
    return Shares(values=values, features=features, own=sorted(held), artifact=artifact, modelled=modelled)


def _lifts(
    own: Sequence[str], features: Mapping[str, Feature], *, columns: npt.NDArray[np.intp], artifact: Artifact
) -> tuple[list[str], Numbers]:
    """By how many times more often than all people those who have the same take the columns; 0 for too few to tell."""
    services, known = artifact.service_index, artifact.feature_index
    had, are = [each for each in own if each in services], [each for each in features if each in known]
    took, having = artifact.popularity, artifact.arrays["having"]
    expected = np.maximum(took[columns].astype(np.float64), 1.0) / max(artifact.manifest.people, 1)
    lifts = [
        _lift(artifact.companions, np.array([services[each] for each in had], np.int64), took, columns) / expected,
        _lift(artifact.traits, np.array([known[each] for each in are], np.int64), having, columns) / expected,
    ]
    names = [*(f"with:{each}" for each in had), *(f"segment:{each}" for each in are)]
    return names, np.concatenate(lifts).round(6)


def _lift(
    counts: Counts, rows: npt.NDArray[np.int64], people: npt.NDArray[np.int64], columns: npt.NDArray[np.intp]
) -> Numbers:
    """Which share of the people of each row took the columns; 0 for too few to tell."""
    both = counts.of(rows, columns)
    return np.where(both >= COMPANIONS_MIN, both / np.maximum(people[rows, None], 1), 0.0)


def _strongest(names: Sequence[str], lifts: Sequence[float]) -> tuple[str, ...]:
    speaking = [(name.startswith("segment:"), -lift, name) for lift, name in zip(lifts, names, strict=True) if lift > 1]
    return tuple(name for *_, name in sorted(speaking))
