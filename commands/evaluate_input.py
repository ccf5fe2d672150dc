"""What `rapport evaluate` reads: a table of who took what, and tables of what is known of people and services.

Columns are found by the names they usually have, or named by the caller; a file without a header by their numbers.
"""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from re import sub
from typing import Final

from commands.evaluate_times import Moment, iso, moment_like

BAD_SHARE_MAX: Final = 0.05
_SHOWN_MAX: Final = 5
_SAMPLE: Final = 2000

PERSON: Final = (
    *("person", "user", "customer", "client", "household", "member", "account", "buyer", "shopper", "visitor"),
    *("subscriber", "uid", "cust", "household_key"),
)
ITEM: Final = (
    *("item", "service", "product", "sku", "article", "stock", "stockcode", "movie", "category", "policy", "book"),
    *("isbn", "track", "song", "artist", "film", "offer", "good"),
)
TIME: Final = (
    *("time", "timestamp", "datetime", "date", "ts", "at", "invoicedate", "orderdate", "day", "week", "month"),
)
QUANTITY: Final = ("quantity", "qty", "count", "units", "times")
_AROUND: Final = {
    "id",
    "key",
    "no",
    "nr",
    "number",
    "code",
    "name",
    "event",
    "order",
    "purchase",
    "transaction",
    "created",
}


class TableUnusable(Exception):
    """A file that cannot be evaluated; the text says what is wrong with it and what to do."""


@dataclass(slots=True)
class Left:
    """Rows that were left out: how many for which reason, and the first lines of them."""

    read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lines: list[tuple[int, str]] = field(default_factory=list)

    def out(self, line: int, why: str) -> None:
        """One more that was."""
        self.reasons[why] += 1
        if len(self.lines) < _SHOWN_MAX:
            self.lines.append((line, why))

    def check(self, path: Path) -> None:
        """TableUnusable where too many rows are bad."""
        bad = self.reasons.total() - self.reasons[TAKEN_BACK]
        if bad > BAD_SHARE_MAX * self.read:
            said = "; ".join(f"line {line}: {why}" for line, why in self.lines)
            raise TableUnusable(f"{path.name}: {bad:,} of {self.read:,} rows are bad ({said})")


TAKEN_BACK: Final = "the quantity is not above nought"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names (or numbers from 1) of columns as the caller gave them; None is to be found."""

    person: str | None = None
    item: str | None = None
    time: str | None = None
    quantity: str | None = None


class Table:
    """A delimited file, gzipped or not, with or without a header."""

    def __init__(self, path: Path, *, numbered: bool = False) -> None:
        self.path = path
        sample = list(islice(_lines(path), _SAMPLE))
        if not sample:
            raise TableUnusable(f"{path.name} is empty")
        self._delimiter = _delimiter(sample)
        first = next(csv.reader(sample[:1], delimiter=self._delimiter))
        self.header = [str(place + 1) for place in range(len(first))] if numbered else [name.strip() for name in first]
        self._skipped = 0 if numbered else 1

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row that is not blank."""
        reader = csv.reader(_lines(self.path), delimiter=self._delimiter)
        for row in islice(reader, self._skipped, None):
            if row:
                yield reader.line_num, row

    def column(self, given: str | None, names: Sequence[str], *, option: str) -> int:
        """The place of the column that is asked for, or that has such a name; TableUnusable."""
        found = self.find(given, names, option=option)
        if found is None:
            wanted = f"name it with {option}" if option else "the first line must name it"
            raise TableUnusable(f"{self.path.name} has no column of {names[0]}s ({', '.join(self.header)}): {wanted}")
        return found

    def find(self, given: str | None, names: Sequence[str], *, option: str) -> int | None:
        """The same, but None where no name is like that."""
        if given is not None:
            if given not in self.header:
                raise TableUnusable(f"{self.path.name} has no column {given!r} for {option}: {', '.join(self.header)}")
            return self.header.index(given)
        words = [sub(r"[^a-z0-9]+", "_", name.lower()).strip("_").split("_") for name in self.header]
        for name in names:
            for place, own in enumerate(words):
                if [name] == own or "".join(own) in {name, f"{name}id", f"{name}key", f"{name}no", f"{name}s"}:
                    return place
        for name in names:
            for place, own in enumerate(words):
                if name in own and set(own) <= {*names, *_AROUND}:
                    return place
        return None


def table_of(path: Path, columns: Columns = Columns()) -> Table:
    """The table; without a header where the columns are given by number. TableUnusable."""
    return Table(path, numbered=any((given or "").isdigit() for given in (columns.person, columns.item)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Takings:
    """Where the columns of a table of takings are, and how its times are written."""

    table: Table
    person: int
    item: int
    quantity: int | None
    time: int | None
    moment: Moment


def takings_of(path: Path, columns: Columns) -> Takings:
    """The columns of the table; TableUnusable where person or item is not there, or no time can be read."""
    table = table_of(path, columns)
    time = table.find(columns.time, TIME, option="--time")
    return Takings(
        table=table,
        person=table.column(columns.person, PERSON, option="--person"),
        item=table.column(columns.item, ITEM, option="--item"),
        quantity=table.find(columns.quantity, QUANTITY, option="--quantity"),
        time=time,
        moment=_moment_in(table, time),
    )


def read_takings(takings: Takings, left: Left) -> Iterator[tuple[str, str, int, float]]:
    """(person, item, ms, how many) of each good row; the others are counted. TableUnusable where too many are bad."""
    width = len(takings.table.header)
    for line, row in takings.table.rows():
        left.read += 1
        if len(row) != width:
            left.out(line, f"{len(row)} columns where there are {width}")
            continue
        person, item = row[takings.person].strip(), row[takings.item].strip()
        if not person or not item:
            left.out(line, "no person" if not person else "no item")
            continue
        try:
            at = 0 if takings.time is None else takings.moment(row[takings.time].strip())
            how_many = 1.0 if takings.quantity is None else float(row[takings.quantity] or 1)
        except (ValueError, OverflowError):
            left.out(line, "the time or the quantity cannot be read")
            continue
        if not 0 < how_many < float("inf"):
            left.out(line, TAKEN_BACK)
            continue
        yield person, item, at, how_many
    left.check(takings.table.path)


def _moment_in(table: Table, column: int | None) -> Moment:
    """How times are written in the column: as most of its first rows can be read."""
    if column is None:
        return iso
    rows = (row for _, row in islice(table.rows(), _SAMPLE))
    sample = [row[column].strip() for row in rows if len(row) > column and row[column].strip()]
    found = moment_like(sample)
    if found is None:
        raise TableUnusable(
            f"{table.path.name}: times such as {sample[0] if sample else '(nothing)'!r} in the column "
            f"{table.header[column]!r} cannot be read: ISO 8601, a date, or s or ms since 1970 can"
        )
    return found


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        opened = gzip.open if packed else open
        with opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as lines:
            yield from (line.replace("\0", "") for line in lines)
    except (OSError, EOFError, zlib.error) as error:
        raise TableUnusable(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _delimiter(sample: Sequence[str]) -> str:
    """The one that cuts most rows into as many cells as the first, of which there are at least two."""

    def fit(delimiter: str) -> tuple[int, int]:
        sizes = [len(row) for row in csv.reader(sample[:200], delimiter=delimiter) if row]
        return (sum(size == sizes[0] for size in sizes) if sizes and sizes[0] > 1 else 0, sizes[0] if sizes else 0)

    return max((",", ";", "\t", "|"), key=fit)


def read_pairs(path: Path, columns: Columns) -> list[tuple[str, str]]:
    """Pairs of person and item; TableUnusable."""
    table = table_of(path, columns)
    person = table.column(columns.person, PERSON, option="--person")
    item = table.column(columns.item, ITEM, option="--item")
    return [(row[person].strip(), row[item].strip()) for _, row in table.rows() if len(row) > max(person, item)]


def read_described(path: Path, *, given: str | None, names: Sequence[str], option: str) -> Mapping[str, dict[str, str]]:
    """Who or what the first such column names -> column -> value; TableUnusable."""
    table = Table(path)
    found = table.find(given if given in table.header else None, names, option=option)
    key = 0 if found is None else found
    return {
        row[key].strip(): {
            name: cell.strip() for name, cell in zip(table.header, row, strict=False) if name != table.header[key]
        }
        for _, row in table.rows()
        if len(row) > key and row[key].strip()
    }
