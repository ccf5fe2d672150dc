"""A log that lost its end and is the same topic still: where it parted from what was read, and the epoch from there on.

The end goes where a replica that lacked it became the leader, or where a broker was put back from an older copy. What
is written afterwards has offsets that were used before, so it belongs to another epoch.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from commands.logs import LogNotFollowed, fold_history, remember, standing_checkpoints
from commands.settings import Settings
from events.epochs import Adopted, Epoch, NotAdopted, SeenLog, adopt_cut
from events.history import ArchivedRow, History
from events.position import Checkpoint
from profiles.redis_leases import RedisLeases
from profiles.redis_store import RedisStore
from streams.folding import LogIdentity, begin, fingerprint_of
from streams.frame import Record
from streams.log_reader import LogReader, log_reader

WINDOW: Final = 500

Rows = Callable[[int, int], Sequence[ArchivedRow]]
"""What stands in `[start, end)`."""


async def adopt_cut_log(
    settings: Settings, *, store: RedisStore, known: Sequence[Epoch], seen: SeenLog, accept_gap: bool
) -> Adopted | NotAdopted | None:
    """Open the next epoch where the log followed so far lost its end; None where it did not.

    LogNotFollowed while anybody works on the store: they would go on in the epoch that ends here.
    """
    epoch = known[-1]
    standing = await standing_checkpoints(settings, store, topic=settings.events_topic)
    agreed = await asyncio.to_thread(_agreed, settings, epoch, seen, standing)
    if not agreed:
        return None
    if held := await RedisLeases(store.client).held():
        cut = ", ".join(map(str, sorted(agreed)))
        raise LogNotFollowed(f"the log lost its end in partition {cut}; stop first: {', '.join(map(str, held))}")
    for each in known:
        await fold_history(settings, store, epoch=each)
    history = History(settings.history)
    partitions = range(settings.partitions)
    archived = [await asyncio.to_thread(history.contiguous_end, epoch.epoch, at) for at in partitions]
    standing = await standing_checkpoints(settings, store, topic=settings.events_topic)
    checkpoints = [_due(each, epoch, at) for at, each in enumerate(standing)]
    answer = adopt_cut(known, seen, archived=archived, checkpoints=checkpoints, agreed=agreed, accept_gap=accept_gap)
    if isinstance(answer, Adopted):
        for at, held_to in enumerate(archived):
            # In its own epoch too history begins where that one does: what came before is in the one before.
            if (start := min(held_to, agreed.get(at, held_to))) > 0:
                await asyncio.to_thread(history.append, answer.epochs[-1].epoch, at, 0, start, [])
        await remember(settings, store, answer.epochs)
    return answer


def last_agreed(log: Rows, history: Rows, *, first: int, end: int) -> int:
    """The offset from which on two tellings of `[first, end)` differ, looked for from the end; `end` if they do not."""
    at = end
    while at > first:
        start = max(first, at - WINDOW)
        ours, theirs = ({row.offset: row for row in rows(start, at)} for rows in (log, history))
        odd = [offset for offset in sorted({*ours, *theirs}) if ours.get(offset) != theirs.get(offset)]
        if ours and not odd:
            return at
        if any(offset < odd[0] for offset in ours if odd):
            return odd[0]
        at = start
    return first


def _agreed(
    settings: Settings, epoch: Epoch, seen: SeenLog, checkpoints: Sequence[Checkpoint | None]
) -> Mapping[int, int]:
    """By partition that was cut: up to where the log holds what history does. None of a broker that is not sure."""
    history, found = History(settings.history), {}
    with log_reader(settings.brokers, settings.events_topic) as reader:
        for at, checkpoint in enumerate(checkpoints):
            reaches, held, due = seen.end[at], history.contiguous_end(epoch.epoch, at), _due(checkpoint, epoch, at)
            if reaches is None:
                continue
            if reaches < max(due, held, epoch.end[at]):
                end = min(reaches, held)
            elif checkpoint is not None and _is_replaced(reader, at, checkpoint, due=due, first=seen.first[at]):
                end = min(held, due - 1)
            else:
                continue

            def log(start: int, end: int, at: int = at) -> list[ArchivedRow]:
                return [_row(record) for record in reader.records(at, start=start, end=end)]

            def archive(start: int, end: int, at: int = at) -> list[ArchivedRow]:
                return list(history.records(epoch.epoch, at, start=start, end=end))

            found[at] = last_agreed(log, archive, first=min(max(seen.first[at], epoch.first[at]), end), end=end)
    return found


def _is_replaced(reader: LogReader, partition: int, checkpoint: Checkpoint, *, due: int, first: int) -> bool:
    """Whether another record stands before the checkpoint than the one folded last."""
    if not checkpoint.fingerprint or due - 1 < first:
        return False
    before = reader.records(partition, start=due - 1, end=due)
    return bool(before) and fingerprint_of(before) != checkpoint.fingerprint


def _row(record: Record) -> ArchivedRow:
    return ArchivedRow(record.offset, record.timestamp_ms, record.key, record.value)


def _due(checkpoint: Checkpoint | None, epoch: Epoch, partition: int) -> int:
    """The next offset of the epoch's log to fold."""
    log = LogIdentity(epoch=epoch.epoch, topic_id=epoch.topic_id, first=epoch.first)
    return begin(checkpoint, log=log, partition=partition).offset
