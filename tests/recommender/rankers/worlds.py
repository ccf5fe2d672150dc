"""Worlds whose right answer is known, as interactions."""

from typing import Any

import numpy as np

from recommender.interactions import NOBODY, Interactions, Numbers, PersonRow, interactions
from recommender.rankers.protocol import Plan, Ranker, quiet
from recommender.rankers.registry import RANKERS
from tests.builders import DAY, NOW

Rows = list[tuple[str, str, int, float]]
FIRM: dict[str, Plan] = {"lightfm": {"epochs": 80.0}, "logistic": {"penalty": 0.1}, "ease": {"penalty": 5.0}}
"""Plans for worlds of a few dozen people."""


def fitted(name: str, data: Interactions, **plan: float) -> Ranker:
    return RANKERS[name].fit(data, plan={**FIRM.get(name, {}), **plan}, progress=quiet)


def checkerboard(people: int = 20, services: int = 10) -> tuple[Interactions, list[int]]:
    """Even people take even services, odd ones odd; each misses one, which is the right answer."""
    missed = [(person % 2 + 2 * (person // 2)) % services for person in range(people)]
    rows: Rows = [
        (f"p{person:03d}", f"s{service}", NOW - DAY * ((service * 3 + person * 5) % 11 + 1), 1.0)
        for person in range(people)
        for service in range(person % 2, services, 2)
        if service != missed[person]
    ]
    return interactions(rows), missed


def described(data: Interactions, **features: float) -> PersonRow:
    """A newcomer with these features alone."""
    columns = sorted((data.feature_names.index(name), weight) for name, weight in features.items())
    return PersonRow(
        items=NOBODY.items,
        counts=NOBODY.counts,
        last=NOBODY.last,
        features=np.array([column for column, _ in columns], np.int32),
        weights=np.array([weight for _, weight in columns]),
        at=NOW,
    )


def first_new(ranker: Ranker, person: PersonRow) -> int:
    """The best item the person has not."""
    scores = ranker.scores(person)
    scores[person.items] = -np.inf
    return int(scores.argmax())


def area_under_curve(scores: Numbers, right: Any) -> float:
    """The chance that something right is above something wrong; ties count half."""
    above = scores[right][:, None] - scores[~right][None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)
