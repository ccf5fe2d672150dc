"""Interactions: canonical order, what is known before a moment, who may have what."""

import random

from hypothesis import given
from hypothesis import strategies as st

from recommender.interactions import interactions
from tests.builders import DAY, NOW

ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 5).map(lambda d: NOW + d), st.just(1.0)),
    min_size=1,
)


@given(ROWS, st.integers(0, 6))
def test_before_and_after_part_the_rows(rows: list[tuple[str, str, int, float]], moment: int) -> None:
    data = interactions(rows)
    before, after = data.before(NOW + moment), data.after(NOW + moment)

    assert len(before) + len(after) == len(rows)
    assert all(at < NOW + moment for at in before.at)
    assert all(at >= NOW + moment for at in after.at)


@given(ROWS, st.integers(0, 6), st.randoms(use_true_random=False))
def test_a_person_is_what_they_took_before(
    rows: list[tuple[str, str, int, float]], moment: int, chance: random.Random
) -> None:
    shuffled = chance.sample(rows, len(rows))
    data = interactions(shuffled)
    for number, person in enumerate(data.people):
        earlier = [(item, at) for who, item, at, _ in rows if who == person and at < NOW + moment]
        row = data.row(number, NOW + moment)

        names = [data.items[item] for item in row.items]
        assert names == sorted({item for item, _ in earlier})
        assert row.counts.tolist() == [sum(item == name for item, _ in earlier) for name in names]
        assert row.last.tolist() == [max(at for item, at in earlier if item == name) for name in names]


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_in_which_rows_come_makes_no_difference(
    rows: list[tuple[str, str, int, float]], chance: random.Random
) -> None:
    made = [interactions(some) for some in (rows, chance.sample(rows, len(rows)))]

    assert len({(data.person.tobytes(), data.item.tobytes(), data.at.tobytes()) for data in made}) == 1


def test_a_row_carries_the_features_of_its_person() -> None:
    data = interactions(
        [("a", "x", NOW, 1.0), ("b", "x", NOW, 1.0)], features={"b": {"plan=gold": 1.0, "age": 2.0}, "c": {"age": 1.0}}
    )
    row = data.row(1, NOW + DAY)

    assert {data.feature_names[column]: weight for column, weight in zip(row.features, row.weights, strict=True)} == {
        "plan=gold": 1.0,
        "age": 2.0,
    }
    assert data.row(0, NOW + DAY).features.size == 0
    assert data.people == ("a", "b", "c")


def test_everybody_may_have_what_they_took_and_who_is_not_listed_everything() -> None:
    rows = [("a", "x", NOW, 1.0), ("b", "y", NOW, 1.0)]
    data = interactions(rows, items=["z"], eligible=[("a", "y")])

    assert data.eligible is not None
    assert data.eligible.toarray().tolist() == [[True, True, False], [True, True, True]]


def test_what_was_taken_at_one_moment_is_one_purchase() -> None:
    cans = [
        ("a", "x", NOW, 10.0),
        ("a", "x", NOW, 1.0),
        ("a", "y", NOW, 1.0),
        ("a", "x", NOW + 1, 3.0),
        ("b", "x", NOW, 1.0),
    ]
    data = interactions(cans).once()

    assert [(data.items[item], int(at) - NOW) for item, at in zip(data.item, data.at, strict=True)] == [
        ("x", 0),
        ("y", 0),
        ("x", 1),
        ("x", 0),
    ]
    assert data.row(0, NOW + DAY).counts.tolist() == [2.0, 1.0]
