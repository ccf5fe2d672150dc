"""Facts go to history: the app `history` writes frames behind the last, and its position is where history ends."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.folding import LogIdentity
from streams.frame import Answer, Frame, Handled, Record, SeekTo

SEGMENT_RECORDS = 5000
SEGMENT_AGE_S = 1.0


class Archive(Protocol):
    """History as the archiver needs it; blocking, called in a thread."""

    def contiguous_end(self, epoch: int, partition: int) -> int:
        """The offset after the last one archived without a hole."""
        ...

    def append(self, epoch: int, partition: int, start: int, end: int, records: Sequence[Record]) -> object:
        """Write the records of `[start, end)` durably; writing them again is harmless."""
        ...


@dataclass(slots=True)
class _Pending:
    generation: int
    start: int
    end: int
    since: float
    records: list[Record] = field(default_factory=list)


@dataclass(kw_only=True)
class Archiver:
    """The handler of `rapport.events` in the app `history`.

    Frames are gathered into segments of a useful size. What is gathered and not yet written is read again after a
    crash, since the position is the end of what was written and nothing else.
    """

    archive: Archive
    log: LogIdentity
    _pending: dict[int, _Pending] = field(default_factory=dict, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def __call__(self, frame: Frame, /) -> Answer:
        """Gather the frame; see `streams.frame.Handler`."""
        async with self._turn:
            pending = await self._gathered(frame)
            if frame.start > pending.end:
                del self._pending[frame.partition]
                return SeekTo(pending.start)
            if frame.end > pending.end:
                pending.records += [record for record in frame.records if record.offset >= pending.end]
                pending.end = frame.end
            if len(pending.records) >= SEGMENT_RECORDS:
                await self._write(frame.partition)
            return Handled()

    async def run(self) -> None:
        """Write what has waited long enough, until cancelled."""
        while True:
            await asyncio.sleep(SEGMENT_AGE_S / 2)
            await self.flush(older_than_s=SEGMENT_AGE_S)

    async def flush(self, *, older_than_s: float = 0) -> None:
        """Write everything gathered that long ago."""
        async with self._turn:
            due = time.monotonic() - older_than_s
            for partition in [p for p, pending in self._pending.items() if pending.since <= due]:
                await self._write(partition)

    async def _gathered(self, frame: Frame) -> _Pending:
        pending = self._pending.get(frame.partition)
        if pending is None or pending.generation != frame.generation:
            end = await asyncio.to_thread(self.archive.contiguous_end, self.log.epoch, frame.partition)
            pending = _Pending(frame.generation, end, end, time.monotonic())
            self._pending[frame.partition] = pending
        return pending

    async def _write(self, partition: int) -> None:
        pending = self._pending.pop(partition)
        if pending.end > pending.start:
            await asyncio.to_thread(
                self.archive.append, self.log.epoch, partition, pending.start, pending.end, pending.records
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedPositions:
    """Where the archiver goes on reading."""

    archive: Archive
    log: LogIdentity

    async def committed(self, _topic: str, partitions: Collection[int], /) -> Mapping[int, int | None]:
        """See `streams.frame.Checkpoints`."""
        ends = [
            await asyncio.to_thread(self.archive.contiguous_end, self.log.epoch, partition) for partition in partitions
        ]
        return {partition: end or None for partition, end in zip(partitions, ends, strict=True)}
