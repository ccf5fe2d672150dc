"""A delimited file as other people write it: packed or not, with or without a header, however its cells are parted."""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands.evaluate_columns import ITEM, PERSON, place_of
from commands.evaluate_times import moment_like

if TYPE_CHECKING:
    from _csv import Reader

SAMPLE: Final = 2000
"""Lines a table is known by before it is read."""
_DELIMITERS: Final = (",", ";", "\t", "|", "::")
_ONE_SIGN: Final = "\x1f"
"""In the place of a delimiter of two signs, which the reader does not take."""
_OTHERS: Final = {b"PK\3\4": "a zip archive or a workbook", b"PAR1": "Parquet", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
"""How files begin that are no text, and what they are."""


def _windows(error: UnicodeError) -> tuple[str, int]:
    """What is no UTF-8 as Windows and spreadsheets write it, so that two names never become one."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("windows", _windows)


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
        self._preface = next((place for place, line in enumerate(sample) if not _is_preface(line)), len(sample))
        sample = sample[self._preface :]
        if not sample:
            raise TableUnusable(f"{path.name} is empty")
        self._delimiter = _delimiter(sample)
        first = next(_parted(sample[:1], self._delimiter))
        self.has_header = not (numbered or _is_data(first))
        names = first if self.has_header else [str(place + 1) for place in range(len(first))]
        self.header = [name.strip() for name in names]
        self.sample = [row for _, row in self._rows(sample)]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The line where it begins, and the cells, of each row that is not blank."""
        return self._rows(islice(_lines(self.path), self._preface, None))

    def ragged(self, row: Sequence[str]) -> str | None:
        """What is wrong with a row of more or fewer cells than there are columns."""
        if len(row) == len(self.header):
            return None
        said = f"{len(row)} columns where there are {len(self.header)}"
        return f"{said}, as a quotation mark is not closed" if any("\n" in cell for cell in row) else said

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

    def _rows(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        reader, width, line = _parted(lines, self._delimiter), len(self.header), 1
        try:
            for place, row in enumerate(reader):
                if any(map(str.strip, row)) and not (place == 0 and self.has_header):
                    # Rows that end in delimiters have nothing in the columns beyond the last.
                    yield self._preface + line, row if any(map(str.strip, row[width:])) else row[:width]
                line = reader.line_num + 1
        except csv.Error as error:
            said = f"{self.path.name}, line {self._preface + line}: {error}; is a quotation mark not closed?"
            raise TableUnusable(said) from error


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
    numbers = sum(is_number(cell) for cell in first)
    return 2 * numbers >= len(first) > 1 or any(not is_number(cell) and moment_like([cell]) for cell in first)


def _is_preface(line: str) -> bool:
    """Whether the line stands before the table: blank, or a word from one spreadsheet to another."""
    return not line.strip() or line.strip().lower().startswith("sep=")


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            first = file.read(5)
        other = next((name for signs, name in _OTHERS.items() if first.startswith(signs)), None)
        if other is not None:
            raise TableUnusable(f"{path.name} is {other}: write it as CSV, packed with gzip or not")
        opened = gzip.open if first.startswith(b"\x1f\x8b") else open
        encoding = "utf-16" if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        with opened(path, "rt", encoding=encoding, errors="windows", newline="") as lines:
            yield from (line.replace("\0", "") for line in lines)
    except (OSError, EOFError, zlib.error) as error:
        raise TableUnusable(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _parted(lines: Iterable[str], delimiter: str) -> "Reader":
    if len(delimiter) > 1:
        return csv.reader((line.replace(delimiter, _ONE_SIGN) for line in lines), delimiter=_ONE_SIGN)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _delimiter(sample: Sequence[str]) -> str:
    """The one that cuts most rows into as many cells as the first, of which there are at least two."""

    def fit(delimiter: str) -> tuple[int, int]:
        sizes = _sizes(sample[:200], delimiter)
        return (sum(size == sizes[0] for size in sizes) if sizes and sizes[0] > 1 else 0, sizes[0] if sizes else 0)

    return max(_DELIMITERS, key=fit)


def _sizes(lines: Sequence[str], delimiter: str) -> list[int]:
    """How many cells each row has, as far as the lines can be read."""
    sizes = []
    with suppress(csv.Error):
        for row in _parted(lines, delimiter):
            sizes += [len(row)] if row else []
    return sizes
