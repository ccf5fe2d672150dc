"""Segment files: Parquet, written whole or not at all, checked when read."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from events.durable_files import sync_folder
from events.fact import Fact, FactUndecodable, Wire, fact_of, read_wire
from events.segments import HistoryDamaged, Segment

FORMAT: Final = "1"
BATCH_ROWS: Final = 4096

_SCHEMA: Final = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", pa.int64(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("type", pa.string(), nullable=False),
        pa.field("occurred_at", pa.int64()),
        pa.field("received_at", pa.int64()),
        pa.field("identity", pa.string()),
        pa.field("event_key", pa.binary()),
    ]
)
"""Times are milliseconds since 1970. `type` is empty and the columns after it are null for what is not a fact."""


class ArchivedRecord(Protocol):
    """A record of the log as it was written."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


def table_of(records: Sequence[ArchivedRecord]) -> Any:
    """The rows of some records."""
    facts = [_fact_or_none(record.value) for record in records]
    return pa.table(
        {
            "offset": [record.offset for record in records],
            "timestamp": [record.timestamp_ms for record in records],
            "key": [record.key for record in records],
            "value": [record.value for record in records],
            "type": [fact.type if fact else "" for fact in facts],
            "occurred_at": [fact.occurred_at if fact else None for fact in facts],
            "received_at": [fact.received_at if fact else None for fact in facts],
            "identity": [fact.identity if fact else None for fact in facts],
            "event_key": [fact.event_key if fact else None for fact in facts],
        },
        schema=_SCHEMA,
    )


def _fact_or_none(value: bytes | None) -> Fact | Wire | None:
    """What tells of the fact; a sealed one is told by its header, whatever it holds."""
    try:
        wire = read_wire(value)
        return fact_of(wire) if wire.key_id is None else wire
    except FactUndecodable:
        return None


def write_segment(segment: Segment, table: Any, *, epoch: int, partition: int) -> None:
    """Put the rows under the segment's name: after a crash the file is the old one, none, or the new one."""
    label = {**_label(segment, epoch=epoch, partition=partition), "rows": str(table.num_rows)}
    waiting = segment.path.with_name(f".{segment.path.name}.tmp")
    with waiting.open("wb") as file:
        pq.write_table(
            table.replace_schema_metadata(label), file, compression="zstd", write_page_checksum=True, version="2.6"
        )
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(segment.path)
    sync_folder(segment.path.parent)


def read_segment(segment: Segment, *, epoch: int, partition: int, columns: Sequence[str]) -> Iterator[Any]:
    """The rows in batches, in offset order.

    FileNotFoundError when the file is gone (merged meanwhile), HistoryDamaged when it is not what its name says.
    """
    with segment.path.open("rb") as opened:
        last, rows = segment.start - 1, 0
        try:
            file = pq.ParquetFile(opened, page_checksum_verification=True)
            promised = _check_label(file.schema_arrow, segment, epoch=epoch, partition=partition)
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=["offset", *columns]):
                last = _check_offsets(batch.column("offset").to_pylist(), segment, after=last)
                rows += batch.num_rows
                yield batch
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise HistoryDamaged(f"{_where(segment)} cannot be read: {type(error).__name__}") from error
        if str(rows) != promised:
            raise HistoryDamaged(f"{_where(segment)} holds {rows} rows, {promised} were written")


def read_whole(segment: Segment, *, epoch: int, partition: int) -> Any:
    """All rows as one table."""
    columns = [name for name in _SCHEMA.names if name != "offset"]
    batches = read_segment(segment, epoch=epoch, partition=partition, columns=columns)
    return pa.Table.from_batches([batch.cast(_SCHEMA) for batch in batches], schema=_SCHEMA)


def drop(segments: Sequence[Segment]) -> None:
    """Delete files that are not needed any more."""
    for segment in segments:
        with suppress(FileNotFoundError):
            segment.path.unlink()


def _label(segment: Segment, *, epoch: int, partition: int) -> dict[str, str]:
    return {"rapport": FORMAT, "range": f"{epoch}.{partition}.{segment.start}-{segment.end}"}


def _check_label(schema: Any, segment: Segment, *, epoch: int, partition: int) -> str:
    """How many rows were written. Pages carry checksums; the description of the file has only this to be held to."""
    found: dict[str, str] = {
        name.decode(errors="replace"): value.decode(errors="replace") for name, value in (schema.metadata or {}).items()
    }
    if found.get("rapport") != FORMAT or not schema.remove_metadata().equals(_SCHEMA):
        raise HistoryDamaged(f"{_where(segment)} is not in a format of history that is known")
    expected = _label(segment, epoch=epoch, partition=partition)["range"]
    if found.get("range") != expected:
        raise HistoryDamaged(f"{_where(segment)} was written as {found.get('range')}, its name says {expected}")
    return found.get("rows", "?")


def _check_offsets(offsets: Sequence[int], segment: Segment, *, after: int) -> int:
    for offset in offsets:
        if not after < offset < segment.end:
            raise HistoryDamaged(f"{_where(segment)} holds offset {offset} where it does not belong")
        after = offset
    return after


def _where(segment: Segment) -> str:
    return "/".join(segment.path.parts[-3:])
