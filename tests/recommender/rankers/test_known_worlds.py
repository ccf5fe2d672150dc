"""Rankers in worlds whose right answer is known."""

import random

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from recommender.interactions import NOBODY, PersonRow, interactions
from recommender.rankers.lightfm_hybrid import ModelDiverged
from recommender.rankers.protocol import Unsuitable
from recommender.rankers.registry import RANKERS
from tests.builders import DAY, NOW
from tests.recommender.rankers.worlds import (
    Rows,
    area_under_curve,
    checkerboard,
    described,
    first_new,
    fitted,
)

LEARNS_FROM_OTHERS = ("item_knn", "ease", "logistic", "lightfm")
LEARNS_FROM_ATTRIBUTES = ("segment_popularity", "logistic", "lightfm")


@pytest.mark.parametrize("name", LEARNS_FROM_OTHERS)
def test_on_the_checkerboard_what_is_missing_comes_first(name: str) -> None:
    data, missed = checkerboard()
    ranker = fitted(name, data)

    assert [first_new(ranker, data.row(person, NOW)) for person in range(20)] == missed


@pytest.mark.parametrize("seed", [1.0, 2.0, 3.0])
def test_on_the_checkerboard_no_seed_of_lightfm_changes_that(seed: float) -> None:
    data, missed = checkerboard()
    ranker = fitted("lightfm", data, seed=seed)

    assert [first_new(ranker, data.row(person, NOW)) for person in range(20)] == missed


@pytest.mark.parametrize("name", LEARNS_FROM_ATTRIBUTES)
def test_a_newcomer_is_offered_what_their_segment_takes(name: str) -> None:
    rows: Rows = [(f"p{n:02d}", f"s{n % 3}", NOW - DAY, 1.0) for n in range(30)]
    data = interactions(rows, features={f"p{n:02d}": {f"plan={n % 3}": 1.0} for n in range(30)})
    ranker = fitted(name, data)

    assert [first_new(ranker, described(data, **{f"plan={plan}": 1.0})) for plan in range(3)] == [0, 1, 2]


def test_lightfm_ranks_services_nobody_took_by_their_features() -> None:
    #   40 services of 4 groups, each person takes those of one group; 12 services were never taken
    rows: Rows = [
        (f"p{n:03d}", f"s{4 * k + n % 4:02d}", NOW - DAY * (k + 1), 1.0)
        for n in range(80)
        for k in range(7)
        if (n * 5 + k * 3) % 7 < 4
    ]
    features = {f"s{service:02d}": {f"group={service % 4}": 1.0} for service in range(40)}
    data = interactions(rows, item_features=features)
    ranker = fitted("lightfm", data)
    cold = np.arange(28, 40)

    areas = [
        area_under_curve(ranker.scores(data.row(person, NOW))[cold], cold % 4 == person % 4) for person in range(80)
    ]
    assert set(range(28, 40)).isdisjoint(data.item.tolist())
    assert float(np.mean(areas)) >= 0.9


def test_what_everybody_has_already_is_not_learnt_to_be_unwanted() -> None:
    #   everybody takes the three a early, among twenty of sixty b; thirty people still lack one of the three
    chance = random.Random(1)
    rows: Rows = []
    for n in range(120):
        own = [f"b{k:02d}" for k in chance.sample(range(60), 20)]
        for k in range(3):
            if n >= 30 or k != n % 3:
                own.insert(chance.randrange(8), f"a{k}")
        rows += [(f"p{n:03d}", service, NOW - DAY * (30 - place), 1.0) for place, service in enumerate(own)]
    data = interactions(rows)
    ranker = fitted("lightfm", data, epochs=40.0)

    assert [data.items[first_new(ranker, data.row(n, NOW))] for n in range(30)] == [f"a{n % 3}" for n in range(30)]


def test_a_person_counts_once_for_popularity() -> None:
    often: Rows = [("p0", "s0", NOW - DAY * day, 5.0) for day in range(1, 20)]
    data = interactions([*often, ("p1", "s1", NOW - DAY, 1.0), ("p2", "s1", NOW - DAY, 1.0)])

    assert fitted("popularity", data).scores(NOBODY).tolist() == [1.0, 2.0]


def test_with_a_half_life_popularity_forgets() -> None:
    old: Rows = [(f"p{n}", "s0", NOW - 60 * DAY, 1.0) for n in range(3)]
    data = interactions([*old, ("p8", "s1", NOW, 1.0), ("p9", "s1", NOW, 1.0)])

    assert fitted("popularity", data, half_life_days=60.0).scores(NOBODY).tolist() == [1.5, 2.0]


def test_own_frequency_puts_first_what_was_taken_most_then_what_others_take() -> None:
    rows: Rows = [("p0", "s1", NOW - DAY, 1.0), ("p0", "s2", NOW - DAY, 3.0)]
    others: Rows = [(f"p{n}", f"s{service}", NOW - DAY, 1.0) for n in range(1, 4) for service in range(3, 3 + n)]
    data = interactions([*rows, *others])

    order = np.argsort(-fitted("own_frequency", data).scores(data.row(0, NOW))).tolist()
    assert [data.items[place] for place in order] == ["s2", "s1", "s3", "s4", "s5"]


def test_with_a_half_life_what_was_taken_lately_is_before_what_was_taken_often() -> None:
    data = interactions([("p0", "s0", NOW - 300 * DAY, 6.0), ("p0", "s1", NOW - DAY, 1.0)])
    row = data.row(0, NOW)

    assert fitted("own_frequency", data).scores(row).argmax() == 0
    assert fitted("own_frequency", data, half_life_days=60.0).scores(row).argmax() == 1


def test_the_logistic_models_choose_among_what_a_person_may_still_take() -> None:
    #   hardly anyone may have s1, but all who may take it: for them it comes first
    rows: Rows = [(f"p{n:02d}", "s1" if n < 8 else "s0", NOW - DAY, 1.0) for n in range(80)]
    pairs = [(f"p{n:02d}", "s0") for n in range(80)] + [(f"p{n:02d}", "s1") for n in range(8)]

    assert fitted("logistic", interactions(rows, eligible=pairs)).scores(NOBODY).argmax() == 1
    assert fitted("logistic", interactions(rows)).scores(NOBODY).argmax() == 0


@pytest.mark.parametrize("name", ["logistic", "lightfm"])
def test_a_feature_with_huge_numbers_drowns_no_other(name: str) -> None:
    rows: Rows = [(f"p{n:03d}", f"s{n % 4}", NOW - DAY, 1.0) for n in range(160)]
    features = {f"p{n:03d}": {"income": 50_000.0 + n, f"plan={n % 4}": 1.0} for n in range(160)}
    data = interactions(rows, features=features)
    ranker = fitted(name, data)
    found = [ranker.scores(described(data, **features[f"p{n:03d}"])) for n in range(160)]

    assert [int(scores.argmax()) for scores in found] == [n % 4 for n in range(160)]
    assert all(np.abs(scores).max() < 100 for scores in found)


def test_a_fit_that_does_not_converge_is_no_ranker() -> None:
    data, _ = checkerboard()

    with pytest.raises(ModelDiverged):
        fitted("lightfm", data, learning_rate=1e6)


def sides() -> tuple[Rows, list[int]]:
    """Even people take some of the even services, odd ones some of the odd; and the side of each."""
    rows: Rows = [
        (f"p{n:02d}", f"s{n % 2 + 2 * ((n * 7 + k * 3) % 20):02d}", NOW - DAY * (k + 1), 1.0)
        for n in range(80)
        for k in range(12)
    ]
    return rows, [n % 2 for n in range(80)]


def test_a_service_feature_of_large_weight_does_not_throw_lightfm_off() -> None:
    rows, side = sides()
    features = {f"s{s:02d}": {f"side={s % 2}": 1.0, "price": 100.0 * (1 + s % 5)} for s in range(40)}
    data = interactions(rows, item_features=features)
    ranker = fitted("lightfm", data)

    assert [first_new(ranker, data.row(person, NOW)) % 2 for person in range(80)] == side


@pytest.mark.thorough
def test_much_that_is_known_of_people_does_not_throw_lightfm_off() -> None:
    rows, side = sides()
    noise = {n: {f"seen={(n * 13 + k) % 400}": 1.0 for k in range(300)} for n in range(80)}
    data = interactions(rows, features={f"p{n:02d}": {f"side={n % 2}": 1.0} | noise[n] for n in range(80)})
    ranker = fitted("lightfm", data)

    assert [first_new(ranker, data.row(person, NOW)) % 2 for person in range(80)] == side


def test_ease_inverts_on_one_thread_however_many_there_are() -> None:
    data, _ = checkerboard()
    seen: list[set[int]] = []

    def threads(_done: int, _total: int) -> None:
        seen.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})

    with threadpool_limits(2):
        RANKERS["ease"].fit(data, plan={}, progress=threads)
        threads(1, 1)

    assert seen == [{1}, {2}]


def test_segments_need_something_known_of_the_people() -> None:
    data, _ = checkerboard()

    with pytest.raises(Unsuitable, match="nothing is known"):
        fitted("segment_popularity", data)


@pytest.mark.parametrize("name", [name for name in RANKERS if name != "segment_popularity"])
@pytest.mark.parametrize("rows", [1, 2])
def test_a_row_or_two_are_enough_not_to_fail(name: str, rows: int) -> None:
    taken: Rows = [(f"p{n}", f"s{n}", NOW - DAY, 1.0) for n in range(rows)]
    data = interactions(taken, items=["s7"])
    who: PersonRow = data.row(0, NOW)

    assert np.isfinite(fitted(name, data).scores(who)).all()
