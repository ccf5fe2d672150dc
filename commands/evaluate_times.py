"""How times are written in other people's tables: found out from a sample, then read."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from recommender.conditions import DAY_MS

Moment = Callable[[str], int]
"""ms since 1970 of a written time; ValueError."""
_FORMATS: Final = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y")
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M:%S %p")


def moment_like(sample: Sequence[str]) -> Moment | None:
    """The way to read times by which most of the sample can be read, if half of it can."""
    ways: list[Moment] = [epoch, iso, *(_by_format(form + clock) for form in _FORMATS for clock in _CLOCKS)]
    most, best = 0, ways[0]
    for way in ways:
        read = sum(_readable(way, text) for text in sample)
        if read > most:
            most, best = read, way
        if read == len(sample):
            break
    return lru_cache(100_000)(best) if most * 2 > len(sample) else None


def iso(text: str) -> int:
    """ISO 8601; without a zone it is UTC."""
    return _ms(datetime.fromisoformat(text))


def epoch(text: str) -> int:
    """A number: days counted from anywhere, YYYYMMDD, or s, ms, µs or ns since 1970, told by its size."""
    number = float(text)
    if text.isdigit() and len(text) == 8 and 1900 <= int(text[:4]) <= 2100:
        return _ms(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC))
    if not 0 <= number < 1e20:
        raise ValueError(text)
    for below, factor in ((1e8, DAY_MS), (1e11, 1e3), (1e14, 1.0), (1e17, 1e-3)):
        if number < below:
            return int(number * factor)
    return int(number * 1e-6)


def _by_format(form: str) -> Moment:
    return lambda text: _ms(datetime.strptime(text, form).replace(tzinfo=UTC))


def _ms(moment: datetime) -> int:
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _readable(way: Moment, text: str) -> bool:
    with suppress(ValueError, OverflowError):
        way(text)
        return True
    return False
