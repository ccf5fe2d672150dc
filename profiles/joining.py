"""Joining cells, records and sections: the one operation behind the fold and behind the merge at read.

`join` is commutative, associative and idempotent, so order and repetition do not matter. Trimming removes a cell by
its own time against a horizon that only the greatest event time moves, and every join keeps the newest, so trimming
early or late ends in the same value.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from profiles.facet import CELLS_MAX, TEXTS_MAX, Cell, FeedbackSection, Record, Section, Words

HORIZON_MS: Final = 1096 * 24 * 3600 * 1000
"""A cell older than this before the section's greatest event time is forgotten."""
_DAY_MS: Final = 24 * 3600 * 1000

R = TypeVar("R")
S = TypeVar("S", bound=Section)
V = TypeVar("V")


def newest(first: Cell[V] | None, second: Cell[V] | None) -> Cell[V] | None:
    """The later cell by (event time, event key)."""
    if first is None:
        return second
    if second is None:
        return first
    return second if (second.at, second.key) > (first.at, first.key) else first


def latest(first: tuple[Cell[V], ...], second: tuple[Cell[V], ...]) -> tuple[Cell[V], ...]:
    """The newest `CELLS_MAX` of both, newest first, each event once."""
    if not first or not second:
        return first or second
    by_order = {(cell.at, cell.key): cell for cell in (*first, *second)}
    return tuple(by_order[order] for order in sorted(by_order, reverse=True)[:CELLS_MAX])


def join_records(first: R, second: R) -> R:
    """Field by field: the newest cell, or the newest few."""
    fields: tuple[str, ...] = first.__struct_fields__  # type: ignore[attr-defined]
    values = []
    for name in fields:
        mine, other = getattr(first, name), getattr(second, name)
        values.append(latest(mine, other) if isinstance(mine, tuple) else newest(mine, other))
    return type(first)(*values)


def with_record(records: Mapping[str, R], record_id: str, record: R) -> dict[str, R]:
    """The records with one more joined in under its id."""
    known = records.get(record_id)
    return {**records, record_id: record if known is None else join_records(known, record)}


def join_sections(first: S, second: S) -> S:
    """All records of both, joined by id; then bounded, and trimmed to the common horizon."""
    values: dict[str, Any] = {"latest_at": max(first.latest_at, second.latest_at)}
    for kind in first.__struct_fields__[1:]:
        mine, other = getattr(first, kind), getattr(second, kind)
        values[kind] = _union(mine, other)
    return trim(bounded(type(first)(**values)))


def _union(first: dict[str, R], second: dict[str, R]) -> dict[str, R]:
    if not first or not second:
        return first or second
    union = dict(first)
    for record_id, record in second.items():
        known = union.get(record_id)
        union[record_id] = record if known is None else join_records(known, record)
    return union


def bounded(section: S) -> S:
    """The section with the newest `TEXTS_MAX` of its texts.

    This is a join too: what is pushed out stays out, since the texts that pushed it out are only ever replaced by
    newer ones.
    """
    if not isinstance(section, FeedbackSection) or len(section.words) <= TEXTS_MAX:
        return section
    kept = sorted(section.words, key=lambda record_id: (_written(section.words[record_id]), record_id), reverse=True)
    return replace(section, words={record_id: section.words[record_id] for record_id in kept[:TEXTS_MAX]})


def _written(words: Words) -> tuple[int, bytes]:
    return (-1, b"") if words.written is None else (words.written.at, words.written.key)


def horizon(latest_at: int) -> int:
    """The oldest event time that is kept; moves once a day of event time, so that trimming is rarely due."""
    return latest_at // _DAY_MS * _DAY_MS - HORIZON_MS


def trim(section: S) -> S:
    """The section without the cells behind its horizon, and without records that have none left."""
    oldest = horizon(section.latest_at)
    values: dict[str, Any] = {"latest_at": section.latest_at}
    for kind in section.__struct_fields__[1:]:
        values[kind] = dict(_trimmed(getattr(section, kind), oldest))
    return type(section)(**values)


def _trimmed(records: Mapping[str, Record], oldest: int) -> Iterable[tuple[str, Record]]:
    for record_id, record in records.items():
        values = [_trim_field(getattr(record, name), oldest) for name in record.__struct_fields__]
        if any(values):
            yield record_id, type(record)(*values)


def _trim_field(field: Any, oldest: int) -> Any:
    if isinstance(field, tuple):
        return tuple(cell for cell in field if cell.at >= oldest)
    return field if field is not None and field.at >= oldest else None
