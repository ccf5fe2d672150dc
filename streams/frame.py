"""What the transport hands to a handler, and what a handler answers: plain values, no client library."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of the log as it was written; `timestamp_ms` is epoch milliseconds."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The records of one partition in `[start, end)`, in offset order.

    `start` is where the owner's last frame ended, or the checkpoint read at assignment; `end` is the next offset to
    read. Offsets may be missing in between (aborted transactions, compaction), and `records` may be empty for the same
    reason: the position moved all the same, so the checkpoint must move to `end` too.
    `last_stable_offset` and `high_watermark` are the log's ends known when the frame was fetched, None while unknown.
    """

    topic: str
    partition: int
    generation: int
    start: int
    end: int
    records: Sequence[Record]
    high_watermark: int | None = None
    last_stable_offset: int | None = None

    @property
    def skipped(self) -> int:
        """How many of its offsets hold no record."""
        return self.end - self.start - len(self.records)


class Handled(msgspec.Struct, frozen=True):
    """The frame's effect is durable: the checkpoint now stands at the frame's `end`."""


class SeekTo(msgspec.Struct, frozen=True):
    """The checkpoint stands at `offset`, not at the frame's end: hand the partition over again from there."""

    offset: int


class Stopped(msgspec.Struct, frozen=True):
    """Stop this partition alone, for a `reason` a person can act on (never personal data); the others go on."""

    reason: str


Answer = Handled | SeekTo | Stopped


class Handler(Protocol):
    """Folds one frame into durable state and says what became of it.

    It is awaited for one frame of a partition at a time, in order. After an exception it is given the *same* frame
    again, a bounded number of times, and then the process stops: so it must recognise what it has made durable.
    """

    async def __call__(self, frame: Frame, /) -> Answer: ...


class OneBefore(int):
    """A position one record before a checkpoint: that record is read again only to know the log by it."""

    __slots__ = ()


class Checkpoints(Protocol):
    """Where the owner of a partition goes on reading.

    It may name an earlier offset than the store's checkpoint, as `OneBefore`.
    """

    async def committed(self, topic: str, partitions: Collection[int], /) -> Mapping[int, int | None]:
        """Next offset to read for each partition; None (or absent) means the log's start."""
        ...
