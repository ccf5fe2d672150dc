"""The probability of each service for one person is what the whole calibration says of it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from benchmarks.serving_world import artifact_of, catalogue_of
from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from recommender.features import own_takings, person_features
from recommender.scoring import personal_shares
from recommender.served import person_row, served_by
from recommender.shelf import Shelf, shelf_of
from tests.builders import DAY, NOW
from tests.recommender.worlds import agreed, person, subscribed


@cache
def shelf() -> Shelf:
    """A model that knows every service, how many times likelier each is than its curve, and one curve for repeats."""
    catalogue = catalogue_of(120)
    plain = artifact_of(catalogue, dimensions=4)
    worth = np.random.default_rng(3).random(len(catalogue.services)) + 0.5
    again = np.array([-2.0, 1.0, 0.2])
    arrays = {**plain.arrays, "calibration.services": worth, "calibration.repeat-line": again}
    return shelf_of(replace(plain, arrays=arrays), catalogue)


@pytest.mark.parametrize("purposes", [(SUGGEST, PROFILE), (SUGGEST, PROFILE, SENSITIVE)])
def test_a_probability_does_not_depend_on_which_other_services_may_be_scored(purposes: tuple[str, ...]) -> None:
    catalogue, artifact = shelf().catalogue, shelf().artifact
    taken = [each.id for each in catalogue.services if not each.fallback][::9]
    facts = person(
        *agreed(*purposes), *(subscribed(each, at=NOW - DAY) for each in taken), catalogue=catalogue
    ).personal
    assert facts is not None
    own = own_takings(facts, catalogue)
    ranker, calibration = served_by(artifact)
    assert ranker is not None
    assert calibration is not None
    features = person_features(facts, catalogue=catalogue, at=NOW)
    row = person_row(own, features, services=artifact.service_index, names=artifact.feature_index, at=NOW)
    of_all = calibration.personal(ranker.scores(row), had=row.items, takings=float(row.counts.sum()))

    values = personal_shares(shelf(), facts, own=own, at=NOW).values

    assert len(row.items) >= 5
    assert {each.sensitive for each in catalogue.services} == {False, True}
    for place, each in enumerate(catalogue.services):
        is_closed = each.sensitive and SENSITIVE not in purposes
        expected = shelf().propensity[place] if is_closed else of_all[artifact.service_index[each.id]]
        assert values[place] == expected, each.id
