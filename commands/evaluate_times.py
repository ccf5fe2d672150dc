"""How times are written in other people's tables: found out from a sample, then read."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

from recommender.conditions import DAY_MS

Moment = Callable[[str], int]
"""ms since 1970 of a written time; ValueError."""
_FORMATS: Final = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d%b%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%Y-%m", "%Y/%m"),
)
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_TRIED: Final = 20
"""Of a sample, by which a way is passed over that reads none of them."""
_DAY_OR_MONTH: Final = {8: "%Y%m%d", 6: "%Y%m"}
"""Digits -> what they tell."""


def moment_like(sample: Sequence[str]) -> Moment | None:
    """The way to read times by which most of the sample can be read, if half of it can."""
    ways: list[Moment] = [epoch, iso, mail, *(_by_format(form + clock) for form in _FORMATS for clock in _CLOCKS)]
    most, best = 0, ways[0]
    some = sample[:: max(len(sample) // _TRIED, 1)]
    for way in ways:
        read = sum(_readable(way, text) for text in sample) if any(_readable(way, text) for text in some) else 0
        if read > most:
            most, best = read, way
        if read == len(sample):
            break
    return lru_cache(100_000)(best) if most * 2 > len(sample) else None


def iso(text: str) -> int:
    """ISO 8601; without a zone, or with `UTC` after it, it is UTC."""
    return _ms(datetime.fromisoformat(text.removesuffix(" UTC")))


def mail(text: str) -> int:
    """As letters and logs of web servers have it: Sat, 27 Apr 2024 18:56:51 +0000."""
    return _ms(parsedate_to_datetime(text))


def epoch(text: str) -> int:
    """A number: days counted from anywhere, YYYYMMDD or YYYYMM, or s, ms, µs or ns since 1970, told by its size."""
    number = float(text)
    if text.isdigit() and len(text) in _DAY_OR_MONTH and 1900 <= int(text[:4]) <= 2100:
        return _ms(datetime.strptime(text, _DAY_OR_MONTH[len(text)]).replace(tzinfo=UTC))
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
