"""Tables with a row for each person and a column for each service: what they have, once or month after month."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from commands.evaluate_columns import ITEM, PERSON, TIME, place_of
from commands.evaluate_input import Columns, Left, moment_in
from commands.evaluate_table import Table, TableUnusable
from commands.evaluate_times import Moment
from recommender.interactions import Interactions

_COLUMNS_MIN: Final = 3
_NO: Final = frozenset({"", "0", "0.0", "no", "n", "false", "na", "nan", "null", "none"})
_YES: Final = frozenset({"1", "1.0", "yes", "y", "true"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wide:
    """Where people, services and time are, and what else is told of people (`others`); without time one row for each.

    With time, rows of a person are what they had then.
    """

    table: Table
    person: int
    items: tuple[int, ...]
    time: int | None
    moment: Moment
    others: tuple[int, ...]

    def places(self) -> dict[str, int]:
        """What was found in which column."""
        return {"person": self.person} | ({} if self.time is None else {"time": self.time})


def wide_of(table: Table, columns: Columns) -> Wide | None:
    """The wide table this is, None where it has a row for each taking.

    `--item` with a pattern, such as `ind_*`, names the columns; else they are those of yes and no, if there are three
    at least and none of them is a column of items. TableUnusable where no columns are like the pattern.
    """
    pattern = columns.item if columns.item is not None and set(columns.item) & set("*?[") else None
    if pattern is not None:
        items = tuple(place for place, name in enumerate(table.header) if fnmatchcase(name, pattern))
        if not items:
            raise TableUnusable(f"{table.path.name} has no column like {pattern!r}: {', '.join(table.header)}")
    else:
        items = tuple(place for place in range(len(table.header)) if _is_yes_or_no(table, place))
        item = place_of(table.header, ITEM)
        if len(items) < _COLUMNS_MIN or columns.item is not None or (item is not None and item not in items):
            return None
    time = table.find(columns.time, TIME, option="--time")
    rest = [place for place in range(len(table.header)) if place not in items and place != time]
    person = _person(table, columns.person, rest)
    # What is known of a person changes from row to row; what came later must not be known of what came before.
    others = tuple(place for place in rest if place != person) if time is None else ()
    return Wide(table=table, person=person, items=items, time=time, moment=moment_in(table, time), others=others)


def read_wide(wide: Wide, left: Left, described: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, int, float]]:
    """(person, item, ms, 1) of each service in each good row; `described` is told of people. TableUnusable."""
    header = wide.table.header
    for line, row in wide.table.rows():
        left.read += 1
        if (wrong := wide.table.ragged(row)) is not None:
            left.out(line, wrong)
            continue
        person = row[wide.person].strip()
        if not person:
            left.out(line, "no person")
            continue
        try:
            at = 0 if wide.time is None else wide.moment(row[wide.time].strip())
        except (ValueError, OverflowError):
            left.out(line, "the time cannot be read", cell=row[wide.time or 0])
            continue
        if wide.others:
            described.setdefault(person, {header[place]: row[place].strip() for place in wide.others})
        for place in wide.items:
            if row[place].strip().lower() not in _NO:
                yield person, header[place], at, 1.0
    left.check(wide.table.path)


def first_had(data: Interactions) -> Interactions:
    """When people had each service first: what they have month after month, they took once."""
    # Rows are ordered by person and time, so the first row of a pair is the earliest.
    _, first = np.unique(data.person.astype(np.int64) * len(data.items) + data.item, return_index=True)
    kept = np.zeros(len(data), np.bool_)
    kept[first] = True
    return data.only(kept)


def _is_yes_or_no(table: Table, place: int) -> bool:
    cells = {row[place].strip().lower() for row in table.sample if len(row) > place}
    return cells <= _NO | _YES and bool(cells & _YES or "0" in cells or "0.0" in cells)


def _person(table: Table, given: str | None, rest: list[int]) -> int:
    """By name, or the first column of the rest with most different values."""
    named = table.find(given, PERSON, option="--person")
    if named is not None:
        return named
    if not rest:
        raise TableUnusable(f"{table.path.name} has no column of persons: name it with --person")
    by_id = place_of(table.header, ("id",))
    if by_id in rest:
        return by_id
    return max(rest, key=lambda place: (len({row[place] for row in table.sample if len(row) > place}), -place))
