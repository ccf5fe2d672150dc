"""From frames to commits: what every checkpointed stream has in common.

One `StreamFold` serves one topic of one app. Its checkpoint in the store is the only truth about what was done: a frame
is compared with it, its records become steps of at most `FACETS_MAX` identities, and each step is one commit. What a
record *does* is the room's business, handed in as `Work`.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from events.position import Checkpoint, Stream, record_fingerprint
from profiles.codec import FacetUnreadable
from profiles.facet import Facet
from profiles.packed import Packed
from profiles.store import Commit, CommitTooHeavy, Mismatch, OutboxEntry, ProfileStore
from streams.frame import Answer, Frame, Handled, OneBefore, Record, SeekTo, Stopped
from streams.patience import Away
from streams.runs import chunks, halves

_log = logging.getLogger(__name__)

OUTBOX_MAX = 10_000
"""Entries that may wait in one outbox; beyond it the partition waits for the relay."""


class Step(NamedTuple):
    """What some records change: facets to set, entries for the outbox.

    `stood` is the checkpoint that stood in the store while it was read for this step; empty when nothing was read.
    """

    facets: Mapping[str, Facet | Packed] = {}
    outbox: Sequence[OutboxEntry] = ()
    stood: Sequence[Checkpoint | None] = ()


class Work(Protocol):
    """What a room does with records. It may be asked again for the same ones, so its effects must bear repetition."""

    async def step(self, stream: Stream, epoch: int, records: Sequence[Record]) -> Step:
        """The step these records amount to; nothing is durable before the commit that follows."""
        ...

    def committed(self, stream: Stream, step: Step) -> None:
        """The step stands in the store."""
        ...

    def dropped(self, stream: Stream) -> None:
        """Whatever is remembered of this partition may be wrong: forget it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIdentity:
    """Which log a topic is: its epoch with us, and its id with the broker.

    `earlier` says of the logs before it, by epoch and then by partition, where what history holds of them ends.
    `first` says where this epoch began by partition, where the log before it may be the same one, cut.
    """

    epoch: int
    topic_id: str
    earlier: Mapping[int, Sequence[int]] = field(default_factory=dict, compare=False)
    first: Sequence[int] = field(default=(), compare=False)


class Unfoldable(Exception):
    """A record that must be folded cannot be as things stand: the partition waits for a person. The text says why."""


class OutboxFull(Away):
    """The relay has not kept up; the frame waits and is tried again."""


@dataclass
class _Owned:
    generation: int
    checkpoint: Checkpoint | None


@dataclass
class StreamFold:
    """The handler of one topic: a frame in, its effect and checkpoint committed together."""

    app: str
    topic: str
    log: LogIdentity
    store: ProfileStore
    work: Work
    on_outbox: Callable[[Stream], None] = lambda _stream: None
    _owned: dict[int, _Owned] = field(default_factory=dict, init=False)

    async def __call__(self, frame: Frame, /) -> Answer:
        """Fold the frame from where the checkpoint stands; see `streams.frame.Handler`."""
        stream = Stream(self.app, self.topic, frame.partition)
        try:
            return await self._fold(stream, frame)
        except FacetUnreadable as error:
            # Trying again would not help, and the other partitions need not wait for it.
            self._forget(stream)
            return Stopped(f"{error}; mend or restore it, or run the program that wrote it")
        except Unfoldable as error:
            self._forget(stream)
            return Stopped(str(error))
        except BaseException:
            # The outcome is unknown: what stands in the store is asked for again.
            self._forget(stream)
            raise

    def look(self, partition: int, found: Checkpoint | None, *, read_to: int) -> SeekTo | Stopped | None:
        """What a partition that is read up to an offset has to do about the checkpoint that stands; None: nothing.

        For one at rest: whoever has a frame in hand learns of a store that went back by its commit.
        """
        stream = Stream(self.app, self.topic, partition)
        if (missing := left_behind(found, partition=partition, log=self.log)) is not None:
            self._forget(stream)
            return Stopped(missing)
        start = begin(found, log=self.log, partition=partition).offset
        if start >= read_to:
            return None
        owned = self._owned.get(partition)
        if found is None and (owned is None or owned.checkpoint is None):
            # Read up to there by whoever had it before, or the log lost its start: reading it from there tells.
            return SeekTo(start)
        return self._mismatched(stream, Mismatch(found))

    async def _fold(self, stream: Stream, frame: Frame) -> Answer:
        owned = await self._standing(stream, frame.generation)
        if frame.start > (0 if owned.checkpoint is None else owned.checkpoint.offset):
            # A person may have moved it on, behind a gap, or put back a copy of a store that had lost it; what is
            # remembered here would seek back, or stop.
            self._forget(stream)
            owned = await self._standing(stream, frame.generation)
        checkpoint = owned.checkpoint
        if (missing := left_behind(checkpoint, partition=frame.partition, log=self.log)) is not None:
            self._forget(stream)
            return Stopped(missing)
        start = begin(checkpoint, log=self.log, partition=frame.partition)
        verdict = judge(start, frame, log=self.log)
        if verdict is not None:
            return verdict
        expected = checkpoint
        records = [record for record in frame.records if record.offset >= start.offset]
        runs = deque(chunks(records, end=frame.end))
        while runs:
            chunk, end = runs.popleft()
            step = await self.work.step(stream, start.epoch, chunk)
            for found in step.stood:
                if found != expected:
                    return self._mismatched(stream, Mismatch(found))
            await self._wait_for_room(stream, step)
            following = start.advanced(offset=end, fingerprint=fingerprint_of(chunk))
            commit = Commit(stream=stream, expected=expected, next=following, facets=step.facets, outbox=step.outbox)
            try:
                outcome = await self.store.commit(commit)
            except CommitTooHeavy:
                runs.extendleft(reversed(halves(chunk, end=end)))
                continue
            if isinstance(outcome, Mismatch):
                return self._mismatched(stream, outcome)
            start = expected = owned.checkpoint = following
            self.work.committed(stream, step)
            if step.outbox:
                self.on_outbox(stream)
        return Handled()

    async def _standing(self, stream: Stream, generation: int) -> _Owned:
        owned = self._owned.get(stream.partition)
        if owned is None or owned.generation != generation:
            self._forget(stream)
            owned = _Owned(generation, await self.store.checkpoint(stream))
            self._owned[stream.partition] = owned
        return owned

    def _forget(self, stream: Stream) -> None:
        self._owned.pop(stream.partition, None)
        self.work.dropped(stream)

    def _mismatched(self, stream: Stream, outcome: Mismatch) -> SeekTo | Stopped:
        self._forget(stream)
        if outcome.found is None:
            return Stopped("the store lost this partition's checkpoint; `rapport rebuild` or an empty log is needed")
        start = begin(outcome.found, log=self.log, partition=stream.partition)
        _log.warning("%s: another owner or an older store, going on from %d", stream, start.offset)
        return SeekTo(start.offset)

    async def _wait_for_room(self, stream: Stream, step: Step) -> None:
        if step.outbox and await self.store.outbox_length(stream) > OUTBOX_MAX:
            self.on_outbox(stream)
            raise OutboxFull(f"{stream}: more than {OUTBOX_MAX} entries wait to be published")


def begin(checkpoint: Checkpoint | None, *, log: LogIdentity, partition: int) -> Checkpoint:
    """Where folding goes on: at the checkpoint, or at the start of a log not read so far or adopted since.

    An epoch is opened for all topics at once; one that is the same log as before keeps its place, unless it was cut
    before that and is another one from there on.
    """
    if checkpoint is None:
        return Checkpoint(epoch=log.epoch, offset=0, topic_id=log.topic_id)
    if checkpoint.epoch < log.epoch:
        if checkpoint.topic_id == log.topic_id:
            if log.first and log.first[partition] < checkpoint.offset:
                return replace(checkpoint, epoch=log.epoch, offset=log.first[partition], fingerprint="")
            return replace(checkpoint, epoch=log.epoch)
        return Checkpoint(epoch=log.epoch, offset=0, topic_id=log.topic_id, incarnation=checkpoint.incarnation)
    return checkpoint


def left_behind(checkpoint: Checkpoint | None, *, partition: int, log: LogIdentity) -> str | None:
    """Why this log may not be begun with: history holds facts of an earlier one that the store does not.

    So it is with a store that was put back from a copy older than the opening of the epoch.
    """
    epoch, offset = (0, 0) if checkpoint is None else (checkpoint.epoch, checkpoint.offset)
    for earlier, ends in log.earlier.items():
        start = offset if earlier == epoch else 0
        if earlier >= epoch and start < ends[partition]:
            return (
                f"the store lacks {start} to {ends[partition] - 1} of epoch {earlier}, which history holds; "
                "`rapport log adopt` folds them"
            )
    return None


def judge(checkpoint: Checkpoint, frame: Frame, *, log: LogIdentity) -> Answer | None:
    """What a frame means to a checkpoint before anything is folded; None: fold it.

    Another log stops the partition; a frame ahead of the checkpoint means that the store went back in time; a frame
    behind it is folded already.
    """
    if checkpoint.topic_id != log.topic_id or checkpoint.epoch != log.epoch:
        return Stopped("the topic is another log than the one folded so far; see `rapport log adopt`")
    if checkpoint.offset == 0 and frame.start > 0:
        return Stopped(f"nothing of this log is folded, and it begins at {frame.start}: its start is gone")
    if frame.start > checkpoint.offset:
        return SeekTo(checkpoint.offset)
    before = next((record for record in frame.records if record.offset == checkpoint.offset - 1), None)
    if before is not None and checkpoint.fingerprint and fingerprint_of([before]) != checkpoint.fingerprint:
        return Stopped(f"another record stands at offset {before.offset}: the log was replaced")
    return Handled() if frame.end <= checkpoint.offset else None


def fingerprint_of(records: Sequence[Record]) -> str:
    """The fingerprint of the last record, empty without one."""
    if not records:
        return ""
    last = records[-1]
    return record_fingerprint(offset=last.offset, timestamp_ms=last.timestamp_ms, key=last.key, value=last.value)


StreamStarts = Callable[[str], Awaitable[Mapping[int, int]]]
"""The first offset of each partition of a topic, as the broker tells it."""


@dataclass(frozen=True, kw_only=True)
class StoredCheckpoints:
    """Where each partition goes on reading: one record before the checkpoint, so that the log is known by it."""

    app: str
    store: ProfileStore
    starts: StreamStarts
    logs: Mapping[str, LogIdentity]

    async def committed(self, topic: str, partitions: Collection[int], /) -> Mapping[int, int | None]:
        """See `streams.frame.Checkpoints`."""
        first = await self.starts(topic)
        positions: dict[int, int | None] = {}
        for partition in partitions:
            checkpoint = await self.store.checkpoint(Stream(self.app, topic, partition))
            start = begin(checkpoint, log=self.logs[topic], partition=partition)
            positions[partition] = _one_before(start, first.get(partition, 0)) or None
        return positions


def _one_before(checkpoint: Checkpoint, first: int) -> int:
    if checkpoint.fingerprint and checkpoint.offset - 1 >= first:
        return OneBefore(checkpoint.offset - 1)
    return checkpoint.offset
