"""Pairs of a person and a service with what came of them, to learn probabilities from and to judge them by."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from recommender.blend import Blend
from recommender.calibration import Pairs
from recommender.catalogue import Catalogue
from recommender.choices import History, Presented, Takings, facts_before, taken_between
from recommender.features import own_takings, person_features
from recommender.interactions import Interactions
from recommender.served import person_row

CELLS_MAX: Final = 2_000_000
"""People times services looked at; of more people, some evenly spread."""
PRESENTED_MAX: Final = 20_000


def choice_pairs(
    ranker: Blend,
    known: Interactions,
    history: History,
    told: Takings,
    *,
    catalogue: Catalogue,
    at: int,
    until: int,
    people_max: int,
) -> Pairs:
    """Everybody known at `at` (ms) with every service they might take: whether they did before `until`.

    What they have and cannot take again is left out: it would not be presented.
    """
    once = np.array([not catalogue.by_id[service].repeatable for service in known.items])
    column = {service: place for place, service in enumerate(known.items)}
    there = [place for place, person in enumerate(known.people) if history[person][0].effective_at < at]
    found: list[Pairs] = []
    for person in spread(there, most=min(people_max, max(CELLS_MAX // max(len(known.items), 1), 1))):
        row = known.row(person, at)
        yes, had = np.zeros((2, len(known.items)), np.bool_)
        took = taken_between(told[known.people[person]], since=at, until=until)
        yes[[column[service] for service in took]] = True
        had[row.items] = True
        places = np.flatnonzero(~(had & once))
        found.append(
            Pairs(
                service=places.astype(np.int64),
                score=ranker.scores(row)[places],
                takings=np.full(len(places), row.counts.sum()),
                had=had[places],
                yes=yes[places],
            )
        )
    return joined(found)


def answer_pairs(
    ranker: Blend, known: Interactions, history: History, *, catalogue: Catalogue, presented: Sequence[Presented]
) -> Pairs:
    """What was presented, scored with each person as they were just before; services nobody knows any more are out."""
    services = {service: place for place, service in enumerate(known.items)}
    names = {name: place for place, name in enumerate(known.feature_names)}
    found: list[Pairs] = []
    for place in spread(range(len(presented)), most=PRESENTED_MAX):
        each = presented[place]
        if each.service not in services:
            continue
        facts = facts_before(history[each.person], each.at)
        own = own_takings(facts, catalogue)
        features = person_features(facts, catalogue=catalogue, at=each.at)
        row = person_row(own, features, services=services, names=names, at=each.at)
        column = services[each.service]
        found.append(
            Pairs(
                service=np.array([column]),
                score=ranker.scores(row)[[column]],
                takings=np.array([row.counts.sum()]),
                had=np.array([column in row.items]),
                yes=np.array([each.accepted]),
            )
        )
    return joined(found)


def joined(found: Sequence[Pairs]) -> Pairs:
    """All of them, one after the other."""
    if not found:
        nothing, no = np.zeros(0), np.zeros(0, np.bool_)
        return Pairs(service=np.zeros(0, np.int64), score=nothing, takings=nothing, had=no, yes=no)
    return Pairs(**{name: np.concatenate([getattr(each, name) for each in found]) for name in Pairs.__slots__})


def spread(among: Sequence[int], *, most: int) -> list[int]:
    """At most so many of them, evenly spread."""
    places = np.linspace(0, len(among) - 1, min(len(among), most)).round().astype(np.int64)
    return [among[place] for place in places.tolist()]
