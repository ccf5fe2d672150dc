"""Canonical JSON (RFC 8785): one value, one sequence of bytes. Whole numbers only; a fraction is refused."""

import json
from typing import Any

from events.shape import INTEGER_MAX


class NotCanonical(ValueError):
    """The value has no canonical form here; the text names the kind of value, never the value."""


def canonical(value: Any) -> bytes:
    """The canonical bytes of dicts, lists, tuples, texts, whole numbers within ±2^53, truth values and None.

    NotCanonical for anything else: fractions, other keys than texts, half a surrogate pair.
    """
    try:
        return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise NotCanonical("a text holds half a surrogate pair") from None
    except RecursionError:
        raise NotCanonical("the value is nested too deeply") from None


def _ordered(value: Any) -> Any:
    """The value with the keys of every dict in the order the standard asks for: that of their UTF-16 code units."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in _sorted_keys(value)}
    if isinstance(value, (list, tuple)):
        return [_ordered(each) for each in value]
    if isinstance(value, int) and -INTEGER_MAX <= value <= INTEGER_MAX:
        return value
    raise NotCanonical(f"a {type(value).__name__} has no canonical form, or is too large for one")


def _sorted_keys(value: dict[Any, Any]) -> list[str]:
    try:
        is_ascii = "".join(value).isascii()
    except TypeError:
        raise NotCanonical("a key is not a text") from None
    # Beyond the basic plane the order of code units is not that of letters.
    return sorted(value) if is_ascii else sorted(value, key=lambda key: key.encode("utf-16-be"))
