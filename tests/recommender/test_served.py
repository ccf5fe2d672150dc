"""What a model serves with: the person as its ranker knows them, and arrays that make no ranker refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recommender.artifact import Artifact, ArtifactUnfit, untrained
from recommender.personal import Taking
from recommender.served import Served, person_row, served_by
from tests.builders import DAY, NOW
from tests.recommender.worlds import CHECKERBOARD, CODE, SMALL, taken_by, trained

MODEL = "ranker.logistic"


@pytest.fixture(scope="module")
def model() -> Artifact:
    people = [some for customer in range(20) for some in taken_by(customer)]
    return trained(people, catalogue=CHECKERBOARD, plan=replace(SMALL, kinds=("popularity", "logistic")))


def without(model: Artifact, part: str) -> Artifact:
    return replace(model, arrays={name: array for name, array in model.arrays.items() if not name.startswith(part)})


def changed(model: Artifact, arrays: dict[str, Any]) -> Artifact:
    return replace(model, arrays={**model.arrays, **arrays})


def test_a_person_is_put_in_the_columns_the_ranker_knows_and_what_it_never_saw_is_left_out() -> None:
    own = {
        "milk": [Taking("milk", NOW - DAY, b"1"), Taking("milk", NOW, b"2"), Taking("milk", NOW - 2 * DAY, b"3")],
        "bread": [Taking("bread", NOW - 3 * DAY, b"4")],
        "new-today": [Taking("new-today", NOW, b"5")],
    }
    features = {"topic:loan": (0.5, ()), "topic:new": (1.0, ())}

    row = person_row(own, features, services={"milk": 7, "bread": 2}, names={"topic:loan": 3, "topic:old": 0}, at=NOW)

    assert (row.items.tolist(), row.counts.tolist()) == ([2, 7], [1, 3])
    assert row.last.tolist() == [NOW - 3 * DAY, NOW]
    assert (row.features.tolist(), row.weights.tolist(), row.at) == ([3], [0.5], NOW)


def test_a_model_serves_with_its_ranker_and_popularity_with_none(model: Artifact) -> None:
    served = served_by(model)
    by_popularity = replace(model, manifest=model.manifest.model_copy(update={"ranker": "popularity"}))

    assert served.ranker is not None
    assert served.calibration is not None
    assert served_by(by_popularity).ranker is None
    assert served_by(by_popularity).calibration is not None
    assert served_by(untrained(CHECKERBOARD, code=CODE)) == Served(None, None)


def test_arrays_that_make_no_ranker_are_refused_with_the_reason(model: Artifact) -> None:
    whole = {name: array for name, array in model.arrays.items() if name.startswith(MODEL)}
    nan = {name: np.full_like(array, np.nan) for name, array in whole.items()}
    fewer = {name: array[:, :-1] for name, array in whole.items()}
    calibration = {"calibration.services": model.arrays["calibration.services"][:-1]}

    for artifact, because in (
        (changed(model, calibration), "the calibration is of other services"),
        (without(model, "calibration."), "the ranker has no calibration"),
        (changed(model, nan), "the ranker does not score the services"),
        (changed(model, fewer), "the ranker does not score the services"),
        (without(model, "ranker."), "the arrays make no ranker"),
    ):
        with pytest.raises(ArtifactUnfit, match=because):
            served_by(artifact)
