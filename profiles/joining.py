"""Joining cells, records and sections: the one operation behind the fold and behind the merge at read.

`join` is commutative, associative and idempotent, so order and repetition do not matter. Trimming removes a cell by
its own time against a horizon that only the greatest event time moves, and every join keeps the newest, so trimming
early or late ends in the same value.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import astuple, replace

from profiles.facet import CELLS_MAX, TEXTS_MAX, Cell, FeedbackSection, Record, Section, Words
from profiles.packed import opened, opened_section

HORIZON_MS: Final = 1096 * 24 * 3600 * 1000
"""A cell older than this before the section's greatest event time is forgotten, at the latest `STEP_MS` later."""
STEP_MS: Final = 128 * 24 * 3600 * 1000
"""Event time between two trimmings: each looks at every cell of a section."""

R = TypeVar("R", bound=msgspec.Struct)
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
    added, head = second[0], first[0]
    if len(second) == 1 and (added.at, added.key) > (head.at, head.key):
        return (added, *first[: CELLS_MAX - 1])
    by_order = {(cell.at, cell.key): cell for cell in (*first, *second)}
    return tuple(by_order[order] for order in sorted(by_order, reverse=True)[:CELLS_MAX])


def join_records(first: R, second: R) -> R:
    """Field by field: the newest cell, or the newest few."""
    return type(first)(*map(_join_fields, astuple(first), astuple(second)))


def _join_fields(first: Any, second: Any) -> Any:
    if not first or not second:
        return first or second
    return latest(first, second) if isinstance(first, tuple) else newest(first, second)


def with_record(records: dict[str, R], record_id: str, record: R) -> dict[str, R]:
    """The records with one more joined in under its id."""
    known = records.get(record_id)
    joined = records.copy()
    joined[record_id] = record if known is None else join_records(opened(known, type(record)), record)
    return joined


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
    """The oldest event time that is kept; moves once in `STEP_MS` of event time, so that trimming is rarely due."""
    return latest_at // STEP_MS * STEP_MS - HORIZON_MS


def trim(section: S) -> S:
    """The section without the cells behind its horizon, and without records that have none left."""
    oldest = horizon(section.latest_at)
    section = opened_section(section)
    kinds = zip(section.__struct_fields__[1:], astuple(section)[1:], strict=True)
    trimmed = {
        kind: dict(_trimmed(records, oldest)) for kind, records in kinds if records and _has_stale(records, oldest)
    }
    return replace(section, **trimmed) if trimmed else section


def _has_stale(records: Mapping[str, Record], oldest: int) -> bool:
    for record in records.values():
        for field in astuple(record):
            if field and (field[-1] if isinstance(field, tuple) else field).at < oldest:  # of a few the last is oldest
                return True
    return False


def _trimmed(records: Mapping[str, Record], oldest: int) -> Iterable[tuple[str, Record]]:
    for record_id, record in records.items():
        values = [_trim_field(field, oldest) for field in astuple(record)]
        if any(values):
            yield record_id, type(record)(*values)


def _trim_field(field: Any, oldest: int) -> Any:
    if isinstance(field, tuple):
        return tuple(cell for cell in field if cell.at >= oldest)
    return field if field is not None and field.at >= oldest else None
