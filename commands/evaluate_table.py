"""A delimited file as other people write it: packed or not, with or without a header, however its cells are parted."""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands.evaluate_columns import ITEM, PERSON, place_of

if TYPE_CHECKING:
    from _csv import Reader

SAMPLE: Final = 2000
"""Lines a table is known by before it is read."""
_DELIMITERS: Final = (",", ";", "\t", "|", "::")
_ONE_SIGN: Final = "\x1f"
"""In the place of a delimiter of two signs, which the reader does not take."""


class TableUnusable(Exception):
    """A file that cannot be evaluated; the text says what is wrong with it and what to do."""


class Table:
    """A delimited file; columns without a header are called by their numbers, from 1.

    It has none where the caller says so (`numbered`), or where half of the first line are numbers and no cell of it
    names people or services.
    """

    def __init__(self, path: Path, *, numbered: bool = False) -> None:
        self.path = path
        sample = list(islice(_lines(path), SAMPLE))
        if not sample:
            raise TableUnusable(f"{path.name} is empty")
        self._delimiter = _delimiter(sample)
        first = next(self._cells(sample[:1]))
        self.has_header = not (numbered or _is_data(first))
        names = first if self.has_header else [str(place + 1) for place in range(len(first))]
        self.header = [name.strip() for name in names]
        self.sample = [row for row in islice(self._cells(sample), int(self.has_header), None) if row]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row that is not blank."""
        reader = self._cells(_lines(self.path))
        try:
            for row in islice(reader, int(self.has_header), None):
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise TableUnusable(f"{self.path.name}, line {reader.line_num}: {error}") from error

    def find(self, given: str | None, names: Sequence[str], *, option: str) -> int | None:
        """The place of the column that is asked for, or that has such a name; TableUnusable."""
        if given is None:
            return place_of(self.header, names)
        if given not in self.header:
            raise TableUnusable(f"{self.path.name} has no column {given!r} for {option}: {', '.join(self.header)}")
        return self.header.index(given)

    def column(self, given: str | None, names: Sequence[str], *, option: str) -> int:
        """The same; TableUnusable too where no name is like that."""
        found = self.find(given, names, option=option)
        if found is None:
            told = ", ".join(self.header)
            raise TableUnusable(
                f"{self.path.name} has no column of {names[0]}s ({told}): name it with {option}, or number it from 1 "
                "if there is no header"
            )
        return found

    def _cells(self, lines: Iterable[str]) -> "Reader":
        return _parted(lines, self._delimiter)


def is_number(cell: str) -> bool:
    """Whether it can be read as one."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_data(first: Sequence[str]) -> bool:
    named = place_of(first, PERSON) is not None or place_of(first, ITEM) is not None
    if named or any(cell.strip().lower() == "id" for cell in first):
        return False
    return 2 * sum(is_number(cell) for cell in first) >= len(first) > 1


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        opened = gzip.open if packed else open
        with opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as lines:
            yield from (line.replace("\0", "") for line in lines)
    except (OSError, EOFError, zlib.error) as error:
        raise TableUnusable(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _parted(lines: Iterable[str], delimiter: str) -> "Reader":
    if len(delimiter) > 1:
        return csv.reader((line.replace(delimiter, _ONE_SIGN) for line in lines), delimiter=_ONE_SIGN)
    return csv.reader(lines, delimiter=delimiter)


def _delimiter(sample: Sequence[str]) -> str:
    """The one that cuts most rows into as many cells as the first, of which there are at least two."""

    def fit(delimiter: str) -> tuple[int, int]:
        sizes = [len(row) for row in _parted(sample[:200], delimiter) if row]
        return (sum(size == sizes[0] for size in sizes) if sizes and sizes[0] > 1 else 0, sizes[0] if sizes else 0)

    return max(_DELIMITERS, key=fit)
