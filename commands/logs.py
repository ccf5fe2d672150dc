"""Which log each topic is, as the store and the history folder remember them, and the opening of a next one."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from commands.clock import now_ms
from commands.sealing import opening_of
from commands.settings import Keyring, Settings
from events.epochs import (
    Adopted,
    AnotherLog,
    Epoch,
    First,
    LogShape,
    Missing,
    NotAdopted,
    Refused,
    Same,
    SeenLog,
    adopt,
    decode_epochs,
    encode_epochs,
    progressed,
    recognise,
)
from events.history import History
from events.keys import global_key
from events.position import Checkpoint, Stream
from events.pseudonyms import Pseudonyms
from profiles.facet_cache import FacetCache
from profiles.redis_faults import faults
from profiles.redis_store import RedisStore
from streams.admin import broker_hints, is_embedded, log_bounds, topic_ids, wait_for_broker
from streams.dead_letters import Undertaker
from streams.fold_work import FoldWork
from streams.folding import LogIdentity, StreamFold, left_behind
from streams.frame import Frame, Handled, Record, Stopped
from streams.redis_dead_letters import RedisDeadLetters
from streams.runs import FRAME_RECORDS

PROFILES = "profiles"


class LogNotFollowed(Exception):
    """The log in front of us is not one this installation may go on with; the text says why and what to do."""


async def log_identities(settings: Settings, *, keyring: Keyring, store: RedisStore) -> dict[str, LogIdentity]:
    """The log behind each topic; LogNotFollowed when the facts' topic is another log than the one followed."""
    seen = await see_log(settings, keyring=keyring)
    known = await followed_epochs(settings, store)
    match recognise(known, seen):
        case First():
            if (why := await _lost_store(settings)) is not None:
                if await known_epochs(store):
                    # Another process of this installation began at the same moment and was quicker.
                    return await log_identities(settings, keyring=keyring, store=store)
                raise LogNotFollowed(why)
            answer = adopt(known, seen, archived=(), checkpoints=())
            if isinstance(answer, NotAdopted):
                raise LogNotFollowed(answer.reason)
            known = await remember(settings, store, answer.epochs)
        case Same():
            known = await remember(settings, store, progressed(known, await _reached(settings, store, known[-1])))
        case AnotherLog(reason):
            raise LogNotFollowed(f"{reason}; `rapport log adopt` opens the next epoch on it")
        case Refused(reason):
            raise LogNotFollowed(reason)
    ids = await asyncio.to_thread(topic_ids, settings.brokers, settings.topics)
    logs = {topic: LogIdentity(epoch=known[-1].epoch, topic_id=topic_id) for topic, topic_id in ids.items()}
    earlier = await asyncio.to_thread(_ends_of_earlier, settings, known)
    return logs | {settings.events_topic: replace(logs[settings.events_topic], earlier=earlier, first=known[-1].first)}


async def standing_checkpoints(settings: Settings, store: RedisStore, *, topic: str) -> list[Checkpoint | None]:
    """How far the profiles are in each partition of a topic."""
    return [await store.checkpoint(Stream(PROFILES, topic, partition)) for partition in range(settings.partitions)]


async def fold_earlier(settings: Settings, store: RedisStore, log: LogIdentity) -> bool:
    """Fold what history holds of earlier logs and a store put back from an older copy lacks; whether it lacked any."""
    known = await followed_epochs(settings, store)
    checkpoints = await standing_checkpoints(settings, store, topic=settings.events_topic)
    if not any(left_behind(each, partition=at, log=log) for at, each in enumerate(checkpoints)):
        return False
    for epoch in known[:-1]:
        await fold_history(settings, store, epoch=epoch)
    return True


async def adopt_log(
    settings: Settings, *, keyring: Keyring, store: RedisStore, accept_gap: bool = False
) -> Adopted | NotAdopted:
    """Open the next epoch by the rule of `events.epochs.adopt`, folding first what only history holds."""
    known = await followed_epochs(settings, store)
    if not known and (why := await _lost_store(settings)) is not None:
        raise LogNotFollowed(why)
    seen = await see_log(settings, keyring=keyring)
    archived = await asyncio.to_thread(_archived, settings, known[-1:])
    reached = await _reached(settings, store, known[-1]) if known else {}
    checkpoints = [reached.get(partition, 0) for partition in range(settings.partitions)]
    answer = adopt(known, seen, archived=archived, checkpoints=checkpoints, accept_gap=accept_gap)
    if isinstance(answer, Adopted):
        for epoch in known:
            await fold_history(settings, store, epoch=epoch)
        await remember(settings, store, answer.epochs)
    return answer


async def see_log(settings: Settings, *, keyring: Keyring) -> SeenLog:
    """The facts' topic as the broker shows it, under these settings."""
    cluster = await asyncio.to_thread(wait_for_broker, settings.brokers)
    ids = await asyncio.to_thread(topic_ids, settings.brokers, [settings.events_topic])
    bounds = await asyncio.to_thread(log_bounds, settings.brokers, [settings.events_topic])
    ordered = [bounds[key] for key in sorted(bounds)]
    is_sure = not is_embedded(cluster)  # it tells too low an end of its log
    shape = LogShape(
        partitions=settings.partitions,
        key_fingerprint=Pseudonyms(keyring.pseudonym_key, settings.region).fingerprint,
    )
    return SeenLog(
        topic_id=ids[settings.events_topic],
        shape=shape,
        first=tuple(bound.first for bound in ordered),
        end=tuple(bound.end if is_sure else None for bound in ordered),
    )


async def known_epochs(store: RedisStore) -> tuple[Epoch, ...]:
    """The logs followed so far, as the store has them."""
    with faults():
        raw = await store.client.get(global_key("epochs"))
    return decode_epochs(raw if isinstance(raw, bytes) else None)


async def followed_epochs(settings: Settings, store: RedisStore) -> tuple[Epoch, ...]:
    """The logs followed so far, as the store or the history folder has them, whichever remembers more.

    A store put back from an older copy knows fewer: an epoch opened under a number that history has used already would
    mix two logs. An empty store knows nothing, which is for the caller to judge.
    """
    stored = await known_epochs(store)
    path = epochs_file(settings)
    archived = decode_epochs(await asyncio.to_thread(path.read_bytes) if path.exists() else None)
    if any(one.topic_id != other.topic_id for one, other in zip(stored, archived, strict=False)):
        raise LogNotFollowed(f"the store and {settings.history} remember different logs: they do not belong together")
    return archived if stored and len(archived) > len(stored) else stored


async def remember(settings: Settings, store: RedisStore, epochs: Sequence[Epoch]) -> tuple[Epoch, ...]:
    """Keep the list of logs, in the store and in the history folder."""
    encoded = encode_epochs(epochs)
    with faults():
        await store.client.set(global_key("epochs"), encoded)
    await asyncio.to_thread(_write, epochs_file(settings), encoded)
    return tuple(epochs)


def epochs_file(settings: Settings) -> Path:
    """Where the history folder keeps the list of epochs."""
    return settings.history / "epochs.json"


def _write(path: Path, encoded: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(encoded)
    fresh.rename(path)


async def _lost_store(settings: Settings) -> str | None:
    """Why an empty store is not begun with: something says that there was a fuller one. None where nothing does."""
    hints = await asyncio.to_thread(broker_hints, settings.brokers, group=settings.group(PROFILES))
    told = sum(offset for (topic, _), offset in hints.items() if topic == settings.events_topic)
    if told or await asyncio.to_thread(epochs_file(settings).exists):
        where = f"the broker was told of {told} folded facts" if told else "history remembers a log"
        return f"the store is empty, yet {where}: it lost its data; put it back from a copy"
    return None


async def _reached(settings: Settings, store: RedisStore, epoch: Epoch) -> dict[int, int]:
    """The next offset of one log to fold, by partition: 0 where an earlier log is still the last that was folded."""
    reached = {}
    for partition, checkpoint in enumerate(await standing_checkpoints(settings, store, topic=settings.events_topic)):
        if checkpoint is None or checkpoint.epoch < epoch.epoch:
            reached[partition] = 0
        elif checkpoint.epoch == epoch.epoch:
            reached[partition] = checkpoint.offset
    return reached


def _ends_of_earlier(settings: Settings, known: Sequence[Epoch]) -> dict[int, Sequence[int]]:
    """Where history ends in the logs before this one that were spread over as many partitions; 0: nothing is new in it.

    What it holds of a log before the epoch began was folded under the epoch before, whose log was the same one.
    """
    earlier = [epoch for epoch in known[:-1] if epoch.shape.partitions == settings.partitions]
    return {
        epoch.epoch: [
            end if end > first else 0 for end, first in zip(_archived(settings, [epoch]), epoch.first, strict=True)
        ]
        for epoch in earlier
    }


def _archived(settings: Settings, epochs: Sequence[Epoch]) -> list[int]:
    history = History(settings.history)
    return [
        history.contiguous_end(epoch.epoch, partition) for epoch in epochs for partition in range(settings.partitions)
    ]


async def fold_history(settings: Settings, store: RedisStore, *, epoch: Epoch) -> None:
    """Fold what only history still has of a log, as the worker would have; without what outreach would follow."""
    log = LogIdentity(epoch=epoch.epoch, topic_id=epoch.topic_id, first=epoch.first)
    work = FoldWork(
        facets=FacetCache(store),
        undertaker=Undertaker(keys=RedisDeadLetters(store.client)),
        candidates=lambda _fact, _position: (),
        clock=now_ms,
        partitions=settings.partitions,
        sealing=opening_of(settings),
    )
    fold = StreamFold(app=PROFILES, topic=settings.events_topic, log=log, store=store, work=work)
    ends = await asyncio.to_thread(_archived, settings, [epoch])
    for partition, start in (await _reached(settings, store, epoch)).items():
        if start >= ends[partition]:
            continue
        missing = Missing(partition, start, ends[partition])
        for frame in await asyncio.to_thread(_frames, settings, epoch.epoch, missing):
            answer = await fold(frame)
            if not isinstance(answer, Handled):
                why = answer.reason if isinstance(answer, Stopped) else "a worker folds too; stop it first"
                raise LogNotFollowed(f"history could not be folded: {why}")


def _frames(settings: Settings, epoch: int, missing: Missing) -> list[Frame]:
    rows = History(settings.history).records(epoch, missing.partition, start=missing.start, end=missing.end)
    records = [Record(*row) for row in rows]
    runs = [records[start : start + FRAME_RECORDS] for start in range(0, len(records), FRAME_RECORDS)] or [[]]
    starts = [missing.start, *(run[0].offset for run in runs[1:])]
    ends = [*starts[1:], missing.end]
    return [
        Frame(topic=settings.events_topic, partition=missing.partition, generation=0, start=start, end=end, records=run)
        for run, start, end in zip(runs, starts, ends, strict=True)
    ]
