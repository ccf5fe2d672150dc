"""Rankers whose weights are dense, where there are more items than they have room for."""

import random

import numpy as np
import pytest

from recommender.interactions import NOBODY, Interactions, interactions
from recommender.rankers.heads import Head, head_of, narrowed, on_head, within
from recommender.rankers.protocol import RankerKind, quiet
from recommender.rankers.registry import RANKERS
from tests.builders import DAY, NOW
from tests.recommender.rankers.worlds import Rows

MOST = 8
dense = pytest.mark.parametrize("name", ["ease", "logistic"])


def clubs_with_a_tail() -> Interactions:
    """Two clubs that take four items each, and twelve items that one or two people took."""
    chance = random.Random(3)
    rows: Rows = [
        (f"p{n:02d}", f"club{n % 2}-{k}", NOW - chance.randrange(1, 40) * DAY, 1.0)
        for n in range(60)
        for k in chance.sample(range(4), 3)
    ]
    rows += [(f"p{n:02d}", f"rare{n % 12:02d}", NOW - DAY, 1.0) for n in range(18)]
    return interactions(rows)


def headed(name: str) -> RankerKind:
    return on_head(RANKERS[name], most=MOST)


@dense
def test_the_head_is_ranked_as_if_there_were_no_tail_and_the_tail_comes_last(name: str) -> None:
    data = clubs_with_a_tail()
    ranker = headed(name).fit(data, plan={}, progress=quiet)
    columns = head_of(data, most=MOST)
    alone = RANKERS[name].fit(narrowed(data, columns), plan={}, progress=quiet)
    row, inside = data.row(5, NOW), narrowed(data, columns).row(5, NOW)
    scores = ranker.scores(row)
    tail = np.setdiff1d(np.arange(len(data.items)), columns)

    assert {data.items[column] for column in columns} == {f"club{club}-{k}" for club in (0, 1) for k in range(4)}
    assert scores[columns].tolist() == alone.scores(inside).tolist()
    assert scores[tail].max() < scores[columns].min()
    #   six of the rare ones were taken twice
    assert {data.items[tail[place]] for place in np.argsort(-scores[tail])[:6]} == {f"rare{k:02d}" for k in range(6)}


@dense
def test_whoever_has_only_what_is_rare_is_scored_as_one_who_has_nothing(name: str) -> None:
    data = clubs_with_a_tail()
    ranker = headed(name).fit(data, plan={}, progress=quiet)
    rare = interactions([("p", "rare03", NOW, 1.0)], items=data.items).row(0, NOW + DAY)

    assert ranker.scores(rare).tolist() == ranker.scores(NOBODY).tolist()


@dense
def test_a_head_is_made_again_from_its_arrays(name: str) -> None:
    data = clubs_with_a_tail()
    ranker = headed(name).fit(data, plan={}, progress=quiet)
    again = headed(name).from_arrays(ranker.arrays())

    assert isinstance(again, Head)
    assert again.name == name
    assert all((again.scores(data.row(n, NOW)) == ranker.scores(data.row(n, NOW))).all() for n in range(20))


@dense
def test_with_room_for_all_there_is_no_head(name: str) -> None:
    data = clubs_with_a_tail()

    assert not isinstance(RANKERS[name].fit(data, plan={}, progress=quiet), Head)


def test_who_may_have_what_of_the_head_is_kept() -> None:
    data = interactions(
        [("a", "x", NOW, 1.0), ("b", "x", NOW, 1.0), ("b", "y", NOW, 1.0), ("a", "z", NOW, 1.0)],
        eligible=[("a", "z"), ("b", "y")],
    )
    head = narrowed(data, np.array([0, 2], np.int32))

    assert head.items == ("x", "z")
    assert head.taken.toarray().tolist() == [[1.0, 1.0], [1.0, 0.0]]
    assert head.eligible is not None
    assert head.eligible.toarray().tolist() == [[True, True], [True, False]]


def test_people_with_very_many_items_are_drawn_until_the_work_is_enough() -> None:
    data = interactions([(f"p{n:03d}", f"i{k}", NOW, 1.0) for n in range(100) for k in range(10)])

    assert within(data.taken, pairs_max=10_000) is data.taken
    assert within(data.taken, pairs_max=2_000).shape[0] == 20
    assert (within(data.taken, pairs_max=2_000) != within(data.taken, pairs_max=2_000)).nnz == 0
