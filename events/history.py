"""History: every fact there was, in Parquet segments named by epoch, partition and offset range.

Kafka's retention may be short; training, evidence, simulation and rebuilds read this instead. All calls block.
"""

import fcntl
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from events.body_keys import BodyGone, BodyKeyUnknown
from events.durable_files import make_folder
from events.fact import Fact, FactUndecodable, Wire
from events.position import Position
from events.pseudonyms import PSEUDONYM
from events.sealing import IN_CLEAR, Opens
from events.segment_files import (
    ArchivedRecord,
    drop,
    read_segment,
    read_whole,
    table_of,
    write_segment,
)
from events.segments import (
    HistoryDamaged,
    Segment,
    contiguous_end,
    merge_run,
    numbered,
    partition_folder,
    pieces,
    segment_at,
    segments_in,
    shadowed,
    uncovered,
)
from events.shape import INTEGER_MAX

_log = logging.getLogger(__name__)


class ArchivedRow(NamedTuple):
    """A record as it stood on the log; `timestamp_ms` is the log's."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class History:
    """The history in one folder; several processes may read it, and write it: a lock per partition sorts them out.

    Rows are kept as they stood on the log; `sealing` opens those that are sealed. A fact whose key was destroyed is
    passed over wherever facts are read. BodyKeysUnavailable while the keys do not answer.
    """

    folder: Path
    sealing: Opens = IN_CLEAR

    def contiguous_end(self, epoch: int, partition: int) -> int:
        """The offset after the last one archived without a hole, counted from offset 0."""
        return contiguous_end(segments_in(self._folder(epoch, partition)))

    def append(
        self, epoch: int, partition: int, start: int, end: int, records: Sequence[ArchivedRecord]
    ) -> list[Segment]:
        """Archive the records of `[start, end)` durably and return the segments written.

        What is archived already stays as it is, so a repeated call writes nothing and brings no removed row back.
        `records` may be empty: the position moved without any, or an operator accepts that they are lost.
        """
        offsets = [record.offset for record in records]
        if not 0 <= start < end or offsets != sorted(set(offsets)) or (offsets and offsets[0] < start):
            raise ValueError("offsets must rise within the range that is archived")
        if offsets and offsets[-1] >= end:
            raise ValueError("offsets must lie within the range that is archived")
        with self._alone(epoch, partition) as folder:
            written = []
            for first, after in uncovered(segments_in(folder), start=start, end=end):
                segment = segment_at(folder, start=first, end=after)
                rows = table_of([record for record in records if first <= record.offset < after])
                write_segment(segment, rows, epoch=epoch, partition=partition)
                written.append(segment)
            self._merge(folder, epoch=epoch, partition=partition)
        return written

    def remove(self, epoch: int, partition: int, offsets: Collection[int]) -> int:
        """Take rows out of every segment that holds them, under the same names; return how many rows went."""
        removed = 0
        with self._alone(epoch, partition) as folder:
            for segment in segments_in(folder):
                inside = [offset for offset in offsets if segment.start <= offset < segment.end]
                if not inside:
                    continue
                rows = read_whole(segment, epoch=epoch, partition=partition)
                kept = rows.filter(pc.invert(pc.is_in(rows["offset"], value_set=pa.array(inside, pa.int64()))))
                if kept.num_rows < rows.num_rows:
                    write_segment(segment, kept, epoch=epoch, partition=partition)
                    removed += rows.num_rows - kept.num_rows
        return removed

    def facts(
        self,
        *,
        epochs: Collection[int] | None = None,
        partitions: Collection[int] | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> Iterator[tuple[Position, Fact]]:
        """Facts by epoch, partition and offset, of those that happened in `[since_ms, until_ms)`.

        Records that were no facts are passed over. HistoryDamaged for a file that cannot be read.
        """
        for epoch, partition in self._partitions(epochs, partitions):
            for batch in self._rows(epoch, partition):
                wanted = batch.filter(_happened(batch, since_ms=since_ms, until_ms=until_ms))
                for position, fact in self._decoded(wanted, epoch=epoch, partition=partition):
                    if (since_ms is None or since_ms <= fact.occurred_at) and (
                        until_ms is None or fact.occurred_at < until_ms
                    ):
                        yield position, fact

    def records(self, epoch: int, partition: int, *, start: int, end: int) -> Iterator[ArchivedRow]:
        """Everything of `[start, end)` that is still kept, facts or not: what a worker would be handed.

        HistoryDamaged for a file that cannot be read.
        """
        for batch in self._rows(epoch, partition, columns=("timestamp", "key", "value"), start=start):
            columns = (batch.column(name).to_pylist() for name in ("offset", "timestamp", "key", "value"))
            for row in map(ArchivedRow._make, zip(*columns, strict=True)):
                if row.offset >= end:
                    return
                yield row

    def facts_between(
        self, epoch: int, partition: int, *, start: int, end: int, types: Collection[str]
    ) -> Iterator[tuple[Position, Fact]]:
        """The facts of these types in `[start, end)`, in offset order; HistoryDamaged where a file is unreadable."""
        named = pa.array(sorted(types), pa.string())
        for batch in self._rows(epoch, partition, columns=("value", "type"), start=start):
            wanted = pc.or_(_unread(batch), pc.is_in(batch.column("type"), value_set=named))
            for position, fact in self._decoded(batch.filter(wanted), epoch=epoch, partition=partition):
                if position.offset >= end:
                    return
                if fact.type in types:
                    yield position, fact

    def partitions(self) -> list[tuple[int, int]]:
        """The epochs and partitions there is anything of, in their order."""
        return list(self._partitions(None, None))

    def identities(self, epoch: int, partition: int) -> set[str]:
        """The pseudonyms in the keys of all records."""
        found: set[str] = set()
        for batch in self._rows(epoch, partition, columns=("key",)):
            texts = (key.decode("ascii", "replace") for key in pc.unique(batch.column("key")).to_pylist() if key)
            found.update(text for text in texts if PSEUDONYM.fullmatch(text))
        return found

    def offsets_of(self, epoch: int, partition: int, identities: Collection[str], *, before: int) -> list[int]:
        """The offsets below `before` of all records that are keyed by one of the identities."""
        keys = pa.array([identity.encode() for identity in identities], pa.binary())
        return [
            offset
            for batch in self._rows(epoch, partition, columns=("key",))
            for offset in batch.filter(pc.is_in(batch.column("key"), value_set=keys)).column("offset").to_pylist()
            if offset < before
        ]

    def find(self, event_key: bytes, partition: int, *, identity: str | None = None) -> tuple[Position, Fact] | None:
        """The first fact of an event in a partition, of the named identity where one is given; None if there is none.

        Reads the keys of the whole partition.
        """
        for epoch, _ in self._partitions(None, {partition}):
            for batch in self._rows(epoch, partition, columns=("value", "type", "occurred_at", "event_key")):
                same = pc.equal(batch.column("event_key"), pa.scalar(event_key, pa.binary()))
                wanted = batch.filter(pc.or_(_unread(batch), pc.fill_null(same, fill_value=False)))
                for position, fact in self._decoded(wanted, epoch=epoch, partition=partition):
                    if fact.event_key == event_key and identity in {None, fact.identity}:
                        return position, fact
        return None

    def _rows(
        self,
        epoch: int,
        partition: int,
        columns: Sequence[str] = ("value", "type", "occurred_at"),
        *,
        start: int = 0,
    ) -> Iterator[Any]:
        """Batches in offset order; a merge that happens meanwhile is followed."""
        folder, at = self._folder(epoch, partition), start
        while todo := pieces(segments_in(folder), start=at):
            try:
                for piece in todo:
                    for batch in read_segment(piece.segment, epoch=epoch, partition=partition, columns=columns):
                        offsets = batch.column("offset")
                        yield batch.filter(pc.and_(pc.greater_equal(offsets, piece.start), pc.less(offsets, piece.end)))
                    at = piece.end
            except FileNotFoundError:
                continue

    def _decoded(self, batch: Any, *, epoch: int, partition: int) -> Iterator[tuple[Position, Fact]]:
        offsets, types, values = (batch.column(name).to_pylist() for name in ("offset", "type", "value"))
        for offset, event_type, envelope in zip(offsets, types, self.sealing.look_up(values), strict=True):
            position = Position(epoch, partition, offset)
            try:
                yield position, envelope.fact()
            except BodyGone:
                continue
            except BodyKeyUnknown as error:
                raise HistoryDamaged(f"the fact at {position} cannot be opened: {error}") from error
            except FactUndecodable as error:
                # What is sealed was archived unread; it may be something that was set aside when it was folded.
                is_sealed = isinstance(envelope.wire, Wire) and envelope.wire.key_id is not None
                if event_type and not is_sealed:
                    raise HistoryDamaged(f"the fact at {position} cannot be read: {error}") from error

    def _merge(self, folder: Path, *, epoch: int, partition: int) -> None:
        """Merge small neighbours; a damaged one is left for whoever reads it to complain about."""
        drop(shadowed(segments_in(folder)))
        try:
            while run := merge_run([(segment, segment.path.stat().st_size) for segment in segments_in(folder)]):
                rows = pa.concat_tables([read_whole(part, epoch=epoch, partition=partition) for part in run])
                merged = segment_at(folder, start=run[0].start, end=run[-1].end)
                write_segment(merged, rows, epoch=epoch, partition=partition)
                drop(run)
        except HistoryDamaged as error:
            _log.error("segments are not merged: %s", error)

    @contextmanager
    def _alone(self, epoch: int, partition: int) -> Iterator[Path]:
        """The folder of a partition, with no other writer in it."""
        folder = self._folder(epoch, partition)
        make_folder(folder, root=self.folder)
        with (folder / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for abandoned in folder.glob(".*.tmp"):
                abandoned.unlink()
            yield folder

    def _partitions(
        self, epochs: Collection[int] | None, partitions: Collection[int] | None
    ) -> Iterator[tuple[int, int]]:
        for epoch in numbered(self.folder, "epoch"):
            for partition in numbered(self.folder / f"epoch={epoch}", "partition"):
                if (epochs is None or epoch in epochs) and (partitions is None or partition in partitions):
                    yield epoch, partition

    def _folder(self, epoch: int, partition: int) -> Path:
        return partition_folder(self.folder, epoch=epoch, partition=partition)


def _unread(batch: Any) -> Any:
    """Rows that were no facts to the program that archived them; to this one they may be."""
    return pc.equal(batch.column("type"), "")


def _happened(batch: Any, *, since_ms: int | None, until_ms: int | None) -> Any:
    """Rows that may have happened in the time asked for; an unread one says so only once it is decoded."""
    times = batch.column("occurred_at")
    since, until = since_ms or 0, INTEGER_MAX if until_ms is None else until_ms
    within = pc.and_(pc.greater_equal(times, since), pc.less(times, until))
    return pc.or_(_unread(batch), pc.fill_null(within, fill_value=False))
