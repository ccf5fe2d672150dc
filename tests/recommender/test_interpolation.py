"""Interpolation of many numbers answers what numpy does, to the last bit."""

import numpy as np
import pytest

from recommender.interpolation import Interpolation

MANY = 3000


def points(number: int, *, seed: int, crowded: bool = False) -> Interpolation:
    """So many points by chance, and a crowd of them in one spot if it is asked for."""
    rng = np.random.default_rng(seed)
    at = rng.normal(size=number) * 3
    if crowded:
        at[: number // 2] = at[0] + np.arange(number // 2) * 1e-9
    return Interpolation(np.unique(at.round(9)), np.cumsum(rng.random(len(np.unique(at.round(9))))))


def numbers(line: Interpolation, *, count: int, seed: int) -> np.ndarray:
    """Numbers between the ends, the points themselves and their neighbours among them."""
    drawn = np.random.default_rng(seed).normal(size=count) * 3
    close = np.concatenate([line.at, np.nextafter(line.at, np.inf), np.nextafter(line.at, -np.inf)])
    found: np.ndarray = np.concatenate([drawn, close]).clip(line.at[0], line.at[-1])
    return found


@pytest.mark.parametrize("number", [1, 2, 4, 5, 9, 64])
@pytest.mark.parametrize("count", [0, 10, MANY])
def test_the_height_is_numpys_to_the_last_bit(number: int, count: int) -> None:
    for seed in range(6):
        line = points(number, seed=seed, crowded=seed > 2)
        asked = numbers(line, count=count, seed=seed + 100)

        assert line(asked).tobytes() == np.interp(asked, line.at, line.values).tobytes()


def test_several_points_in_one_cell_are_told_apart() -> None:
    at = np.array([0.0, 1.0, 1.0 + 1e-6, 1.0 + 2e-6, 5.0, 10.0])
    line = Interpolation(at, np.array([0.0, 1.0, 7.0, 8.0, 20.0, 21.0]))
    asked = np.tile([0.5, 1.0 + 5e-7, 1.0 + 1.5e-6, 1.0 + 2e-6, 3.0, 10.0], MANY)

    assert line(asked)[:6] == pytest.approx([0.5, 4.0, 7.5, 8.0, 14.0, 21.0], abs=1e-5)
