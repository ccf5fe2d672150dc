"""Straight lines between many points, for many numbers at once: what `numpy.interp` answers, to the last bit.

Numpy looks for the line of each number in a search of its own, whose turns no processor foresees: of 10,000 numbers and
64 points that is most of what a suggestion costs. Here a number's cell in an even grid tells the line, or one nearby.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

_CELLS: Final = 4096
_NEARBY_MAX: Final = 4
"""Points in one cell, at most; where they stand closer, numpy's search is as quick."""
_NUMBERS_MIN: Final = 1000
"""Of fewer numbers numpy's search is as quick."""


@dataclass(frozen=True, eq=False, slots=True)
class Interpolation:
    """Through the points (`at`, `values`), at least one, `at` ascending.

    `_scale` is cells per unit; `_before` how many points lie in earlier cells; `_nearby` how many in the fullest, 0
    where the grid is of no use. The line before each point has its left end in `_left`, with `_slope` and `_height`.
    """

    at: Numbers
    values: Numbers
    _scale: float = field(init=False, repr=False)
    _before: npt.NDArray[np.intp] = field(init=False, repr=False)
    _nearby: int = field(init=False, repr=False)
    _next: Numbers = field(init=False, repr=False)
    _left: Numbers = field(init=False, repr=False)
    _slope: Numbers = field(init=False, repr=False)
    _height: Numbers = field(init=False, repr=False)

    def __post_init__(self) -> None:
        reach = self.at.item(-1) - self.at.item(0)
        scale = _CELLS / reach if reach else 0.0
        counts = np.bincount(((self.at - self.at.item(0)) * scale).astype(np.intp), minlength=_CELLS + 1)
        nearby = int(counts.max())
        made = {
            "_scale": scale,
            "_before": np.cumsum(counts) - counts,
            "_nearby": nearby if nearby <= _NEARBY_MAX else 0,
            "_next": np.append(self.at, np.inf),
            "_left": np.append(self.at[:1], self.at),
            "_slope": np.concatenate([[0.0], np.diff(self.values) / np.diff(self.at), [0.0]]),
            "_height": np.append(self.values[:1], self.values),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def __call__(self, numbers: Numbers) -> Numbers:
        """The height at each number; all lie between the first and the last point."""
        if not self._nearby or len(numbers) < _NUMBERS_MIN:
            return np.interp(numbers, self.at, self.values)
        cell = numbers - self.at.item(0)
        cell *= self._scale
        line = self._before.take(cell.astype(np.intp))
        for _ in range(self._nearby):
            line += numbers >= self._next.take(line)
        found: Numbers = numbers - self._left.take(line)
        found *= self._slope.take(line)
        found += self._height.take(line)
        return found
