"""Columns by the names they usually have in other people's tables."""

from collections.abc import Sequence
from re import sub
from typing import Final

PERSON: Final = (
    *("person", "user", "customer", "client", "household", "member", "account", "buyer", "shopper", "visitor"),
    *("subscriber", "reviewer", "uid", "cust", "household_key"),
)
ITEM: Final = (
    *("item", "service", "product", "sku", "article", "stock", "stockcode", "asin", "movie", "category", "policy"),
    *("book", "isbn", "track", "song", "artist", "film", "offer", "good"),
)
TIME: Final = (
    *("time", "timestamp", "datetime", "date", "ts", "at", "invoicedate", "orderdate", "day", "week", "month"),
    *("snapshot", "period", "fecha"),
)
NUMBERED: Final = ("ordernumber", "basketnumber", "visitnumber", "sessionnumber", "sequence", "ordinal")
"""Which of a person's own orders a row is of: it tells their order, and nothing of anybody else's."""
QUANTITY: Final = ("quantity", "qty", "count", "units", "times")
_AROUND: Final = {
    *("id", "key", "no", "nr", "number", "code", "name", "unique", "parent"),
    *("event", "order", "purchase", "transaction", "created", "sales", "sale", "invoice", "review", "unix", "dato"),
}


def place_of(header: Sequence[str], names: Sequence[str]) -> int | None:
    """The place of the first column that has such a name, exactly or with words that often stand around it."""
    words = [_words(name) for name in header]
    for name in names:
        for place, own in enumerate(words):
            if [name] == own or "".join(own) in {name, f"{name}id", f"{name}key", f"{name}no", f"{name}s"}:
                return place
    for name in names:
        for place, own in enumerate(words):
            if name in own and set(own) <= {*names, *_AROUND}:
                return place
    return None


def _words(name: str) -> list[str]:
    parted = sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_").split("_")
