"""Figures as people read them: money with its decimals, a time that passed, a moment."""

from collections.abc import Mapping
from typing import Any, Final

from events.shape import format_time

_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS: Final = "CLF UYW"
_DECIMALS: Final[Mapping[str, int]] = {
    currency: decimals
    for currencies, decimals in ((_NO_DECIMALS, 0), (_THREE_DECIMALS, 3), (_FOUR_DECIMALS, 4))
    for currency in currencies.split()
}
"""Of currencies whose minor unit is not a hundredth (ISO 4217, list one)."""
_SPANS: Final = (("days", 24 * 3600_000), ("h", 3600_000), ("min", 60_000), ("s", 1000))
_MONEY: Final = frozenset({"revenue", "average_order", "refunds"})
"""Traits that are amounts by currency."""


def money(amount: int, currency: str) -> str:
    """An amount of minor units with the decimals of its currency: `1,899 JPY`, `18.99 EUR`."""
    decimals = _DECIMALS.get(currency, 2)
    whole, part = divmod(amount, 10**decimals)
    return f"{whole:,}.{part:0{decimals}} {currency}" if decimals else f"{whole:,} {currency}"


def span(ms: float) -> str:
    """A time that passed, in the greatest unit of which there are two at least: `95 s`, `6.5 min`."""
    for unit, length in _SPANS:
        if ms >= 2 * length:
            return f"{round(ms / length, 1):g} {unit}"
    return f"{ms:g} ms"


def digits(number: float, count: int = 3) -> str:
    """The first digits of a number, written out where it is great: `2,280`, `0.0545`."""
    found = f"{number:.{count}g}"
    return f"{float(found):,g}" if abs(number) < 1e6 else found


def factors_said(factors: Mapping[str, float | None], *, count: int = 3) -> str:
    """What a score is the product of: P and C always, V and L where value and lever weigh."""
    signs = {"propensity": "P", "context": "C", "value": "V", "lever": "L"}
    weighed = ((sign, factors.get(name)) for name, sign in signs.items())
    return " × ".join(f"{sign} {digits(factor, count)}" for sign, factor in weighed if factor is not None)


def minute(moment: int) -> str:
    """A moment (ms), to the minute, in UTC."""
    return format_time(moment)[:16]


def trait_value(name: str, value: Any) -> str:
    """What a trait found, on a line, or one for each entry of a list."""
    if value and name in _MONEY:
        return ", ".join(money(amount, currency) for currency, amount in value.items())
    if name == "last_touchpoints" and value:
        return "\n".join(_event(**touch) for touch in value)
    return _said(value)


def _event(*, at: int, type: str, channel: str | None) -> str:  # noqa: A002
    return f"{minute(at)}  {type}" + (f" by {channel}" if channel else "")


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(_named(name, part) for name, part in value.items() if part is not None) or "–"
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _named(name: str, value: Any) -> str:
    if name.endswith("_ms"):
        return f"{_words(name.removesuffix('_ms'))} {span(value)}"
    if name.endswith("_days"):
        return f"{_words(name.removesuffix('_days'))} {value:g} days"
    return f"{_words(name)} {_said(value)}"


def _words(name: str) -> str:
    return name.replace("_", " ")
