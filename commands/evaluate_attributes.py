"""Columns that describe people or services, as features: words as they are, numbers by the quantile they fall in."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from commands.evaluate_times import Moment, moment_like

_QUANTILES: Final = 10
_HAVING_MIN: Final = 5
"""A value that fewer have is one of the others."""
_WORDS_MAX: Final = 1000
_NUMBERS_MIN: Final = 12
"""Numbers with fewer values than this are words."""

Described = Mapping[str, Mapping[str, str]]


def features_of(described: Described) -> dict[str, dict[str, float]]:
    """Name -> its features, each of weight one, such as `plan=gold`, `age=3 of 10`, `town=other`, `town=nothing`."""
    columns = dict.fromkeys(column for own in described.values() for column in own)
    made: dict[str, dict[str, float]] = {name: {} for name in described}
    for column in columns:
        values = {name: own.get(column, "") for name, own in described.items()}
        for name, value in _told(values).items():
            made[name][f"{column}={value}"] = 1.0
    return made


def _told(values: Mapping[str, str]) -> dict[str, str]:
    present = sorted(value for value in values.values() if value)
    numbers = _numbers_of(present)
    words = _common_words(present) if numbers is None else set()
    if numbers is None and not words:
        return {}
    told = {}
    for name, value in values.items():
        if not value:
            told[name] = "nothing"
        elif numbers is None:
            told[name] = value if value in words else "other"
        else:
            told[name] = numbers(value)
    return told


class _Quantiles:
    """Which part of ten a number falls in; equal numbers are never parted."""

    def __init__(self, present: list[str], read: Moment | type[float]) -> None:
        self._read = read
        known = [found for found in map(self._number, present) if found is not None]
        self._borders = np.unique(np.quantile(known, np.linspace(0, 1, _QUANTILES + 1)[1:-1]))

    def __call__(self, value: str) -> str:
        number = self._number(value)
        if number is None:
            return "other"
        return f"{int(np.searchsorted(self._borders, number, side='right')) + 1} of {len(self._borders) + 1}"

    def _number(self, value: str) -> float | None:
        try:
            number = float(self._read(value))
        except (ValueError, OverflowError):
            return None
        return number if np.isfinite(number) else None


def _numbers_of(present: list[str]) -> _Quantiles | None:
    """How the column counts, if its values are numbers or times."""
    if len(set(present)) < _NUMBERS_MIN:
        return None
    if _most(present, float):
        return _Quantiles(present, float)
    moment = moment_like(present[:: max(len(present) // 500, 1)])
    return _Quantiles(present, moment) if moment is not None and _most(present, moment) else None


def _most(present: list[str], read: Moment | type[float]) -> bool:
    good = 0
    for value in present:
        try:
            good += bool(np.isfinite(float(read(value))))
        except (ValueError, OverflowError):
            continue
    return good > 0.95 * len(present)


def _common_words(present: list[str]) -> set[str]:
    counts = Counter(present)
    common = sorted((word for word in counts if counts[word] >= _HAVING_MIN), key=lambda word: (-counts[word], word))
    return set(common[:_WORDS_MAX])
