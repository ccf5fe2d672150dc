"""The blend: two questions, two sets of weights, one answer; and the bootstrap that says how sure a figure is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.blend import Blend, Part, Recipe, from_arrays, placed, standard
from recommender.bootstrap import figure
from recommender.interactions import NOBODY
from recommender.rankers.protocol import Unsuitable
from recommender.tournament_judging import Cases
from recommender.tournament_weights import weights_found
from tests.builders import NOW
from tests.recommender.rankers.worlds import checkerboard, fitted

DATA, _ = checkerboard()
PARTS = (Part("own_frequency", {}), Part("item_knn", {"neighbours": 5.0}), Part("popularity", {}))
MIXED = Recipe(
    parts=PARTS,
    repeat={"own_frequency": 0.75, "popularity": 0.25},
    new={"item_knn@neighbours=5": 0.5, "popularity": 0.5},
)
NUMBERS = st.lists(st.integers(-1000, 1000), min_size=2, max_size=30).map(lambda some: np.array(some, np.float64))


def test_what_is_new_comes_in_the_order_of_the_weights_for_new() -> None:
    blend = MIXED.fit(DATA)
    only_new = Recipe(parts=PARTS, repeat=MIXED.new, new=MIXED.new).fit(DATA)
    for person in range(len(DATA.people)):
        row = DATA.row(person, NOW)
        fresh = np.setdiff1d(np.arange(len(DATA.items)), row.items)

        ranks = [np.argsort(-blend.scores(row)[fresh], kind="stable") for blend in (blend, only_new)]
        assert ranks[0].tolist() == ranks[1].tolist()


def test_what_a_person_has_keeps_the_scores_of_the_weights_for_repeats() -> None:
    blend = MIXED.fit(DATA)
    only_repeats = Recipe(parts=PARTS, repeat=MIXED.repeat, new=MIXED.repeat).fit(DATA)
    row = DATA.row(3, NOW)

    assert blend.scores(row)[row.items].tolist() == only_repeats.scores(row)[row.items].tolist()
    assert blend.scores(row).tolist() != only_repeats.scores(row).tolist()


def test_a_blend_of_one_part_orders_as_the_part() -> None:
    alone = Recipe(parts=PARTS, repeat={"own_frequency": 1.0}, new={"own_frequency": 1.0}).fit(DATA)
    row = DATA.row(5, NOW)

    part = fitted("own_frequency", DATA).scores(row)
    assert np.argsort(-alone.scores(row), kind="stable").tolist() == np.argsort(-part, kind="stable").tolist()


def test_a_blend_is_made_again_from_its_arrays() -> None:
    blend = MIXED.fit(DATA)
    again = from_arrays(blend.arrays())

    assert (dict(again.repeat), dict(again.new)) == (dict(blend.repeat), dict(blend.new))
    assert {name: array.tobytes() for name, array in again.arrays().items()} == {
        name: array.tobytes() for name, array in blend.arrays().items()
    }
    for row in (NOBODY, *(DATA.row(person, NOW) for person in range(5))):
        assert (again.scores(row) == blend.scores(row)).all()


def test_only_parts_worth_something_are_fitted() -> None:
    blend = Recipe(parts=PARTS, repeat={"popularity": 1.0}, new={"popularity": 1.0}).fit(DATA)

    assert list(blend.parts) == ["popularity"]


def test_a_part_that_cannot_be_fitted_is_not_passed_over() -> None:
    needs_attributes = Recipe(
        parts=[Part("segment_popularity", {})], repeat={"segment_popularity": 1.0}, new={"segment_popularity": 1.0}
    )

    with pytest.raises(Unsuitable):
        needs_attributes.fit(DATA)


def test_standard_scores_are_finite_even_where_all_are_equal() -> None:
    assert standard(np.full(4, 7.0)).tolist() == [0.0] * 4
    assert float(standard(np.array([1.0, 2.0, 9.0])).std()) == pytest.approx(1.0)


@given(NUMBERS, st.randoms(use_true_random=False))
def test_placing_keeps_the_order_of_the_new_ones_and_the_scores_of_the_others(
    scores: np.ndarray, chance: object
) -> None:
    random = np.random.default_rng(len(scores))
    new, fresh = random.normal(size=len(scores)), random.random(len(scores)) < 0.6
    found = placed(scores.copy(), new, owned=np.flatnonzero(~fresh).astype(np.int32))

    assert (found[~fresh] == scores[~fresh]).all()
    assert np.isfinite(found).all()
    assert np.argsort(found[fresh], kind="stable").tolist() == np.argsort(new[fresh], kind="stable").tolist()
    if fresh.any():
        assert found[fresh].max() == pytest.approx(scores[fresh].max(), abs=1e-6)


def test_a_blend_knows_no_person() -> None:
    sizes = {size for array in MIXED.fit(DATA).arrays().values() for size in array.shape}

    assert len(DATA.people) not in sizes
    assert isinstance(MIXED.fit(DATA), Blend)


def test_an_interval_holds_the_mean_and_narrows_with_more_people() -> None:
    random = np.random.default_rng(4)
    few, many = figure(random.random(50)), figure(random.random(5000))

    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 5
    assert figure(np.arange(9.0)) == figure(np.arange(9.0))


def test_an_interval_of_95_percent_misses_the_truth_about_once_in_twenty_times() -> None:
    random = np.random.default_rng(9)
    held = [found.low <= 0.5 <= found.high for found in (figure(random.random(80)) for _ in range(100))]

    assert 0.87 <= np.mean(held) <= 0.99


def asked(right: np.ndarray) -> Cases:
    people, items = right.shape
    numbers = np.arange(people, dtype=np.int32)
    return Cases(people=[NOBODY] * people, numbers=numbers, open=np.ones((people, items), np.bool_), right=right)


def test_a_small_weight_is_found_where_a_large_one_harms() -> None:
    #   one part knows the kind but not which of it, the other knows which but prefers the wrong kind
    random = np.random.default_rng(2)
    kind = np.tile(np.arange(8) < 4, (60, 1))
    which = random.random((60, 8))
    right = kind & (which > 0.5)
    right[:, 0] |= ~right.any(axis=1)
    weights, reserve, why = weights_found({"kind": kind.astype(np.float64), "which": which + 3.0 * ~kind}, asked(right))

    assert 0 < weights["which"] < 0.3
    assert "better than kind alone" in why
    assert dict(reserve) == {"kind": 1.0}


def test_parts_that_helped_by_chance_get_no_weight() -> None:
    random = np.random.default_rng(5)
    right = random.random((40, 12)) < 0.2
    right[:, 0] |= ~right.any(axis=1)
    good = right + random.normal(0, 0.7, right.shape)
    noise = {f"noise{n}": random.normal(0, 0.5, right.shape) for n in range(8)}
    weights, reserve, why = weights_found({"good": good, **noise}, asked(right))

    assert dict(weights) == {"good": 1.0}
    assert "a blend is not better" in why
    assert len(reserve) > 1
