"""What every ranker keeps to, whatever it is made of."""

import json
import os
import random
import subprocess
import sys
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from recommender.interactions import NOBODY, Interactions, interactions
from recommender.rankers.protocol import Arrays, Ranker, quiet
from recommender.rankers.registry import RANKERS
from tests.builders import DAY, NOW

PEOPLE, ITEMS = 40, 12
ROWS = [
    (f"p{person}", f"i{item}", NOW - DAY * ((person + 3 * item) // 4), 1.0 + (person + item) % 3)
    for person in range(PEOPLE)
    for item in range(ITEMS)
    if (person * 7 + item * item) % 5 < 2
]
ABOUT: dict[str, Any] = {
    "items": ["i99"],
    "features": {f"p{person}": {f"plan={person % 3}": 1.0, "everyone": 1.0} for person in range(PEOPLE)},
    "item_features": {f"i{item}": {f"group={item % 4}": 1.0} for item in range(ITEMS)},
}


def world(rows: list[tuple[str, str, int, float]]) -> Interactions:
    return interactions(rows, **ABOUT)


def fitted(name: str, data: Interactions, plan: int = 0) -> Ranker:
    kind = RANKERS[name]
    return kind.fit(data, plan=kind.plans[plan], progress=quiet)


def digest(arrays: Arrays) -> str:
    told = sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        told.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return told.hexdigest()


each = pytest.mark.parametrize("name", RANKERS)
each_plan = pytest.mark.parametrize(
    ("name", "plan"), [(name, plan) for name, kind in RANKERS.items() for plan in range(len(kind.plans))]
)


@each_plan
def test_scores_are_a_finite_number_for_every_item(name: str, plan: int) -> None:
    data = world(ROWS)
    ranker = fitted(name, data, plan)

    for person in range(PEOPLE):
        scores = ranker.scores(data.row(person, NOW + DAY))
        assert scores.shape == (len(data.items),)
        assert scores.dtype == np.float64
        assert np.isfinite(scores).all()


@each
def test_a_person_of_whom_nothing_is_known_is_scored(name: str) -> None:
    scores = fitted(name, world(ROWS)).scores(NOBODY)

    assert scores.shape == (ITEMS + 1,)
    assert np.isfinite(scores).all()


@each
def test_the_order_of_rows_and_people_changes_no_byte(name: str) -> None:
    shuffled = random.Random(5).sample(ROWS, len(ROWS))

    assert digest(fitted(name, world(shuffled)).arrays()) == digest(fitted(name, world(ROWS)).arrays())


@each_plan
def test_arrays_are_all_it_needs(name: str, plan: int) -> None:
    data = world(ROWS)
    ranker = fitted(name, data, plan)
    again = RANKERS[name].from_arrays(ranker.arrays())

    assert again.name == ranker.name
    assert digest(again.arrays()) == digest(ranker.arrays())
    for person in range(PEOPLE):
        row = data.row(person, NOW + DAY)
        assert (again.scores(row) == ranker.scores(row)).all()


@each
def test_scoring_changes_neither_the_ranker_nor_the_person(name: str) -> None:
    data = world(ROWS)
    ranker = fitted(name, data)
    row = data.row(3, NOW + DAY)
    first, before = ranker.scores(row), digest(ranker.arrays())
    kept = first.copy()
    first += 1.0

    assert digest(ranker.arrays()) == before
    assert (ranker.scores(row) == kept).all()


@each
def test_no_array_has_a_row_per_person(name: str) -> None:
    assert PEOPLE not in {size for array in fitted(name, world(ROWS)).arrays().values() for size in array.shape}


@pytest.mark.thorough
def test_two_processes_with_other_hashing_and_threads_make_the_same_bytes() -> None:
    told = [
        subprocess.run(
            [sys.executable, __file__],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    ]

    assert set(json.loads(told[0])) == {*RANKERS, "large ease"}
    assert told[0] == told[1]


def large() -> Interactions:
    """So many items that linear algebra would use every core there is."""
    chance = random.Random(8)
    rows = [(f"p{n}", f"i{item:03d}", NOW, 1.0) for n in range(600) for item in chance.sample(range(500), 12)]
    return interactions(rows)


if __name__ == "__main__":
    digests = {name: digest(fitted(name, world(ROWS)).arrays()) for name in RANKERS}
    sys.stdout.write(json.dumps({**digests, "large ease": digest(fitted("ease", large()).arrays())}))
