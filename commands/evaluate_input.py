"""What `rapport evaluate` reads: a table of who took what, and tables of what is known of people and services.

Columns are found by the names they usually have, or named by the caller; a file without a header by their numbers.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from commands.evaluate_columns import ITEM, NUMBERED, PERSON, QUANTITY, TIME, place_of
from commands.evaluate_table import Table, TableUnusable, is_number
from commands.evaluate_times import Moment, iso, moment_like

BAD_SHARE_MAX: Final = 0.05
TAKEN_BACK: Final = "the quantity is not above nought"
_SHOWN_MAX: Final = 5
_CELL_MAX: Final = 40
_NOTHING: Final = frozenset({"", "nan", "null", "none", "na", "n/a", "\\n"})
"""What programs write where a name is missing."""
_SECONDS_MIN: Final = 1e8
"""Numbers from here on are moments (1973 in seconds), smaller ones may be anything."""


@dataclass(slots=True)
class Left:
    """Rows that were left out: how many for which reason, and the first lines of them."""

    read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lines: list[tuple[int, str, str]] = field(default_factory=list)

    def out(self, line: int, why: str, *, cell: str | None = None) -> None:
        """One more that was, because of what stands in a cell."""
        self.reasons[why] += 1
        if len(self.lines) < _SHOWN_MAX:
            self.lines.append((line, why, "" if cell is None else f": {cell[:_CELL_MAX]!r}"))

    def check(self, path: Path) -> None:
        """TableUnusable where too many rows are bad."""
        bad = self.reasons.total() - self.reasons[TAKEN_BACK]
        if bad > BAD_SHARE_MAX * self.read:
            said = "; ".join(f"line {line}: {why}{cell}" for line, why, cell in self.lines)
            raise TableUnusable(
                f"{path.name}: {bad:,} of {self.read:,} rows are bad ({said}): mend them, or name other columns"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names (or numbers from 1) of columns as the caller gave them; None is to be found."""

    person: str | None = None
    item: str | None = None
    time: str | None = None
    quantity: str | None = None


def table_of(path: Path, columns: Columns = Columns()) -> Table:
    """The table; without a header where the columns are given by number. TableUnusable."""
    return Table(path, numbered=any((given or "").isdigit() for given in (columns.person, columns.item)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Takings:
    """Where the columns of a table of takings are, and how its times are written.

    `is_numbered` where times only number what one person did, one after the other.
    """

    table: Table
    person: int
    item: int
    quantity: int | None
    time: int | None
    moment: Moment
    is_numbered: bool = False

    def places(self) -> dict[str, int]:
        """What was found in which column."""
        found = {"person": self.person, "service": self.item, "time": self.time, "quantity": self.quantity}
        return {what: place for what, place in found.items() if place is not None}


def takings_of(table: Table, columns: Columns) -> Takings:
    """The columns of the table; TableUnusable where person or item is not there, or no time can be read."""
    if not table.has_header and columns.person is None and columns.item is None:
        return _by_place(table)
    time = table.find(columns.time, TIME, option="--time")
    if columns.time is None and time is not None and table.sample and not any(_cells(table, time)):
        time = None
    numbered = place_of(table.header, NUMBERED) if time is None else None
    time = numbered if time is None else time
    return Takings(
        table=table,
        person=table.column(columns.person, PERSON, option="--person"),
        item=table.column(columns.item, ITEM, option="--item"),
        quantity=table.find(columns.quantity, QUANTITY, option="--quantity"),
        time=time,
        moment=moment_in(table, time),
        is_numbered=numbered is not None,
    )


def _by_place(table: Table) -> Takings:
    """Without a header: person, item, and the last column that holds moments, which no count of things looks like."""
    if len(table.header) < 2:
        raise TableUnusable(f"{table.path.name} has one column; at least a person and an item are needed")
    time = next((place for place in reversed(range(2, len(table.header))) if _is_time(table, place)), None)
    return Takings(table=table, person=0, item=1, quantity=None, time=time, moment=moment_in(table, time))


def _is_time(table: Table, place: int) -> bool:
    cells = [cell for cell in _cells(table, place) if cell]
    if all(is_number(cell) for cell in cells):
        return bool(cells) and min(map(float, cells)) >= _SECONDS_MIN
    return moment_like(cells) is not None


def read_takings(takings: Takings, left: Left) -> Iterator[tuple[str, str, int, float]]:
    """(person, item, ms, how many) of each good row; the others are counted. TableUnusable where too many are bad."""
    for line, row in takings.table.rows():
        left.read += 1
        if (wrong := takings.table.ragged(row)) is not None:
            left.out(line, wrong)
            continue
        person, item = row[takings.person].strip(), row[takings.item].strip()
        if (nobody := person.lower() in _NOTHING) or item.lower() in _NOTHING:
            left.out(line, "no person" if nobody else "no item")
            continue
        try:
            at = 0 if takings.time is None else takings.moment(row[takings.time].strip())
        except (ValueError, OverflowError):
            left.out(line, "the time cannot be read", cell=row[takings.time or 0])
            continue
        try:
            how_many = 1.0 if takings.quantity is None else float(row[takings.quantity] or 1)
        except ValueError:
            left.out(line, "the quantity cannot be read", cell=row[takings.quantity or 0])
            continue
        if not 0 < how_many < float("inf"):
            left.out(line, TAKEN_BACK)
            continue
        yield person, item, at, how_many
    left.check(takings.table.path)


def moment_in(table: Table, column: int | None) -> Moment:
    """How times are written in the column: as most of its first rows can be read. TableUnusable."""
    if column is None:
        return iso
    sample = [cell for cell in _cells(table, column) if cell]
    if not sample:
        raise TableUnusable(
            f"{table.path.name}: nothing stands in the column {table.header[column]!r}: name another with --time"
            if table.sample
            else f"{table.path.name} has no rows below its header"
        )
    found = moment_like(sample)
    if found is None:
        raise TableUnusable(
            f"{table.path.name}: times such as {sample[0]!r} in the column {table.header[column]!r} cannot be read: "
            "ISO 8601, a date, or s or ms since 1970 can; or name another with --time"
        )
    return found


def _cells(table: Table, column: int) -> list[str]:
    return [row[column].strip() for row in table.sample if len(row) > column]


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


def met_in(path: Path, names: Collection[str], *, of: Collection[str], what: str) -> str:
    """How many of the people or services in the table the file tells of; TableUnusable where it is none."""
    if not names:
        raise TableUnusable(f"{path.name} has no rows")
    met = len({*names} & {*of})
    if not met:
        raise TableUnusable(
            f"{path.name} tells of none of the {what} in the table: it has {min(names)!r}, the table has {min(of)!r}; "
            "are they written in the same way, and is it the right column?"
        )
    return f"{path.name} tells of {met:,} of {len(of):,} {what}"
