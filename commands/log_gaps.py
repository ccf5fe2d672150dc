"""What a topic no longer holds of what comes next: made up from history where it can be, passed by a person only."""

import asyncio
from collections.abc import Mapping

import msgspec

from commands.logs import PROFILES, LogNotFollowed, fold_history
from commands.settings import Settings
from events.epochs import Epoch
from events.history import History
from events.position import Checkpoint, Stream
from profiles.redis_store import RedisStore
from profiles.store import Commit, Mismatch
from streams.admin import log_bounds
from streams.folding import LogIdentity, begin


class Gap(msgspec.Struct, frozen=True):
    """Offsets `[start, end)` that nobody can read any more; of another log of the same name `end` is not known."""

    topic: str
    partition: int
    start: int
    end: int | None

    def __str__(self) -> str:
        where = f"{self.topic}[{self.partition}]"
        if self.end is None:
            return f"{where}: another log, and what the old one held from {self.start} on is not known"
        return f"{where}: {self.start} to {self.end - 1}"


def beyond(checkpoint: Checkpoint | None, *, log: LogIdentity, partition: int, first: int) -> Checkpoint | None:
    """The checkpoint behind what a log that begins at `first` lacks; None where it holds what comes next."""
    begun = begin(checkpoint, log=log, partition=partition)
    if begun.topic_id != log.topic_id:
        return Checkpoint(epoch=log.epoch, offset=first, topic_id=log.topic_id, incarnation=begun.incarnation)
    if begun.offset < first:
        return msgspec.structs.replace(begun, offset=first, fingerprint="")
    return None


async def pass_gaps(
    settings: Settings, *, store: RedisStore, logs: Mapping[str, LogIdentity], epoch: Epoch, accept_gap: bool
) -> list[Gap]:
    """Let the profiles and history go on behind what the topics no longer hold; the gaps passed.

    What history still has of the facts is folded from it and is no gap. LogNotFollowed when there is nothing to pass,
    or something and nobody accepted it. Workers may run: they find the new place by themselves.
    """
    read = [*settings.topics_read, settings.decisions_topic]
    bounds = await asyncio.to_thread(log_bounds, settings.brokers, read)
    firsts = {Stream(PROFILES, topic, partition): bound.first for (topic, partition), bound in bounds.items()}
    if not await _moves(store, logs=logs, firsts=firsts):
        raise LogNotFollowed("this is the log followed so far; there is nothing to adopt")
    await fold_history(settings, store, epoch=epoch)
    moves = await _moves(store, logs=logs, firsts=firsts)
    gaps = [_gap(stream, before, after) for stream, (before, after) in moves.items()]
    if gaps and not accept_gap:
        raise LogNotFollowed(f"the log lacks {'; '.join(map(str, gaps))}; `--accept-gap` goes on without it")
    for stream, (before, after) in moves.items():
        if isinstance(await store.commit(Commit(stream=stream, expected=before, next=after)), Mismatch):
            raise LogNotFollowed(f"{stream.topic}[{stream.partition}] was moved meanwhile; try again")
    await asyncio.to_thread(_close_history, settings, epoch.epoch, firsts)
    return gaps


Moves = dict[Stream, tuple[Checkpoint | None, Checkpoint]]


async def _moves(store: RedisStore, *, logs: Mapping[str, LogIdentity], firsts: Mapping[Stream, int]) -> Moves:
    moves: Moves = {}
    for stream, first in firsts.items():
        before = await store.checkpoint(stream)
        if (after := beyond(before, log=logs[stream.topic], partition=stream.partition, first=first)) is not None:
            moves[stream] = (before, after)
    return moves


def _gap(stream: Stream, before: Checkpoint | None, after: Checkpoint) -> Gap:
    start = before.offset if before is not None else 0
    is_same = before is None or before.topic_id == after.topic_id
    return Gap(stream.topic, stream.partition, start, after.offset if is_same else None)


def _close_history(settings: Settings, epoch: int, firsts: Mapping[Stream, int]) -> None:
    """History too goes on behind the gap, with nothing in it."""
    history = History(settings.history)
    for stream, first in firsts.items():
        if stream.topic == settings.events_topic and (end := history.contiguous_end(epoch, stream.partition)) < first:
            history.append(epoch, stream.partition, end, first, [])
