"""How likely each service is to be accepted when it is presented: for anybody, and for one person.

Both are probabilities, so that they can stand beside each other in one answer. Before the first training there are
none: then the shares of the catalogue's starting evidence stand in their place.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from recommender.artifact import Artifact, Counts
from recommender.features import Feature, person_features
from recommender.personal import Owned, PersonalFacts
from recommender.reasons import COMPANIONS_MIN
from recommender.served import person_row
from recommender.shelf import Numbers, Shelf

_MILLIONTHS: Final = 10**6


class Trait(NamedTuple):
    """What a person has or is: its name in reasons, its row in the `counts`, and how many people have it."""

    name: str
    counts: Counts
    row: int
    people: int


class Shares(NamedTuple):
    """The probability of each service by place, and what of the person may speak for one.

    `features` are the person's, by name, with the cells they rest on. `had` are the services they took and `are` those
    of the features that the model counted; both are empty where popularity alone decides, and `rows` are the artifact's
    by place for the services that may be scored.
    """

    values: Numbers
    features: Mapping[str, Feature] = {}
    had: Sequence[Trait] = ()
    are: Sequence[Trait] = ()
    rows: Mapping[int, int] = {}

    def speaking_for(self, place: int, artifact: Artifact) -> Iterator[str] | None:
        """What of the person speaks for the service at the place; None where popularity alone does.

        Names are `with:<service>` for what they took, then `segment:<feature>` for a name of `features`, each strongest
        first: more of the people who have it took the service than of all people, counted in the artifact. That they
        took the service itself before (`repeat:`) needs no count of others and is for who tells the reasons to say.
        """
        row = self.rows.get(place)
        if row is None:
            return None
        expected = max(artifact.popularity.item(row), 1.0) / max(artifact.manifest.people, 1)
        return (name for traits in (self.had, self.are) for name in _strongest(traits, row, expected))


def popularity_shares(shelf: Shelf) -> Shares:
    """The probability of each service for anybody: by how many took it, and its starting evidence."""
    return Shares(values=shelf.propensity)


def personal_shares(shelf: Shelf, facts: PersonalFacts, *, own: Owned, at: int) -> Shares:
    """The probabilities for a person known by these facts at `at` (ms).

    `own` are the takings that may speak for others. A service the model has not seen, and a sensitive one where
    sensitive facts are closed, keeps what it has for anybody: what other features hint at must not stand in for a fact
    that may not be used.
    """
    features = person_features(facts, catalogue=shelf.catalogue, at=at)
    artifact, ranker, modelled = shelf.artifact, shelf.served.ranker, shelf.modelled[facts.has_sensitive]
    row = person_row(own, features, services=artifact.service_index, names=artifact.feature_index, at=at)
    if ranker is None or modelled.calibration is None or not len(row.items) + len(row.features):
        return Shares(shelf.propensity, features)
    # What was taken and may speak may be scored as well, so all of it is among the modelled.
    scores, had_before = ranker.scores(row).take(modelled.rows), modelled.among.take(row.items)
    values = modelled.calibration.personal(scores, had=had_before, takings=float(row.counts.sum()))
    if len(values) < len(shelf.services):
        values, of_those = shelf.propensity.copy(), values
        values[modelled.places] = of_those
    had = [
        Trait(f"with:{each}", artifact.companions, index, artifact.popularity.item(index))
        for each in own
        if (index := artifact.service_index.get(each)) is not None
    ]
    are = [
        Trait(f"segment:{each}", artifact.traits, index, artifact.arrays["having"].item(index))
        for each in features
        if (index := artifact.feature_index.get(each)) is not None
    ]
    return Shares(values, features, had, are, modelled.row)


def _strongest(traits: Sequence[Trait], row: int, expected: float) -> list[str]:
    """The names of those whose people took the row's service more often than `expected`, the strongest first."""
    speaking = []
    for name, counts, of, people in traits:
        both = counts.item(of, row)
        # By how many times more often; too few cannot tell.
        lift = round(both / max(people, 1) / expected * _MILLIONTHS) / _MILLIONTHS if both >= COMPANIONS_MIN else 0.0
        if lift > 1:
            speaking.append((-lift, name))
    return [name for _, name in sorted(speaking)]
