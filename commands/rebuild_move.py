"""Another partition count: profiles are folded anew into another store, and what only the old one knew follows them.

Everything acknowledged must be folded and in history first, so the service stands still. The old store is closed before
anything leaves it, and stays as it was otherwise; killed at any point, the same command goes on.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from commands.logs import PROFILES, followed_epochs, known_epochs, remember, see_log
from commands.rebuild_fold import RebuildRefused, Refold
from commands.rebuild_primary import PrimaryMove
from commands.rebuild_switch import Switch
from commands.sealing import opening_of
from commands.settings import Settings, keyring_of
from events.epochs import Epoch, next_shape, progressed
from events.history import History
from events.position import Checkpoint, Stream
from profiles.rebuild import Closed, ends_of, moved_from
from profiles.redis_leases import LEASE_S, RedisLeases
from profiles.redis_rebuild import RedisRebuild
from profiles.redis_store import RedisStore
from streams.admin import ensure_topics, log_bounds


@dataclass(frozen=True, kw_only=True)
class OldSite:
    """The store that is left, and the topics it followed; `settings` are those it was run with."""

    settings: Settings
    store: RedisStore
    epochs: tuple[Epoch, ...]

    @property
    def rebuild(self) -> RedisRebuild:
        """The checkpoints, closed or not."""
        return RedisRebuild(self.store.client)

    @property
    def topics(self) -> list[str]:
        """What the app `profiles` read."""
        return [*self.settings.topics_read, self.settings.decisions_topic]

    async def checkpoint(self, topic: str, partition: int) -> Checkpoint | None:
        """How far a topic is done, also once it is closed."""
        standing = await self.rebuild.standing(Stream(PROFILES, topic, partition))
        return standing.checkpoint if isinstance(standing, Closed) else standing

    async def require_alone(self) -> None:
        """RebuildRefused while a process still works on the old store."""
        if held := await RedisLeases(self.store.client).held():
            named = ", ".join(map(str, held))
            raise RebuildRefused(f"{named}: at work on the old store, or killed less than {LEASE_S} s ago; stop it")

    async def undone(self) -> list[str]:
        """What keeps the profiles from being moved: whatever is acknowledged and not folded, published and archived."""
        history, found = History(self.settings.history), []
        for (topic, partition), end in (await self._ends()).items():
            checkpoint = await self.checkpoint(topic, partition)
            if end > (checkpoint.offset if checkpoint is not None else 0):
                found.append(f"{topic} partition {partition} is not worked off to its end")
        for stream in self._streams():
            if await self.store.outbox_length(stream):
                found += [f"the outbox of {stream.topic} partition {stream.partition} is not empty"]
        for partition in range(self.settings.partitions):
            checkpoint = await self.checkpoint(self.settings.events_topic, partition)
            if checkpoint is not None and history.contiguous_end(checkpoint.epoch, partition) < checkpoint.offset:
                found += [f"history does not reach the checkpoint of partition {partition}"]
        return found

    async def _ends(self) -> Mapping[tuple[str, int], int]:
        """Where the old topics end, as far as they are still there and hold anything."""
        bounds = await asyncio.to_thread(log_bounds, self.settings.brokers, self.topics)
        return {where: bound.end for where, bound in bounds.items() if bound.end > bound.first}

    async def is_closed(self) -> bool:
        """Whether nobody can commit here any more."""
        return all([_has_moved(await self.rebuild.standing(stream)) for stream in self._streams()])

    async def close(self) -> None:
        """Let nobody commit here any more."""
        for stream in self._streams():
            standing = await self.rebuild.standing(stream)
            if _has_moved(standing):
                continue
            if isinstance(standing, Closed) or not await self.rebuild.change(stream, standing, moved_from(standing)):
                raise RebuildRefused(f"{stream.topic} partition {stream.partition} is being written; stop the workers")

    async def reopen(self) -> int:
        """Go on here after all; how many partitions of topics were closed."""
        opened = 0
        for stream in self._streams():
            standing = await self.rebuild.standing(stream)
            if isinstance(standing, Closed) and _has_moved(standing):
                before = standing.checkpoint
                following = replace(before, incarnation=before.incarnation + 1)
                opened += await self.rebuild.reopen(stream, standing, following, is_done=False)
        return opened

    def _streams(self) -> list[Stream]:
        return [Stream(PROFILES, topic, at) for topic in self.topics for at in range(self.settings.partitions)]


async def move(settings: Settings, *, source: str, source_prefix: str, told: Callable[[int], None]) -> dict[str, Any]:
    """Bring the profiles of the store at `source` to that of the settings, whose log is the next epoch.

    RebuildRefused with what is missing; then nothing is closed.
    """
    async with AsyncExitStack() as stack:
        old = await _old(settings, stack, source=source, prefix=source_prefix)
        new = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
        stack.push_async_callback(new.close)
        await old.require_alone()
        opened = await _next_epoch(settings, old, new)
        if undone := await old.undone():
            raise RebuildRefused(_named(undone))
        refold = Refold(
            store=RedisRebuild(new.client),
            past=History(settings.history),
            epochs=old.epochs,
            topic=settings.events_topic,
            partitions=settings.partitions,
            sealing=opening_of(settings),
            told=told,
        )
        refold.require_whole()
        if not await old.is_closed():
            await _require_empty(refold)
        await _close(old)
        checkpoints = await _fold(refold, old)
        copied = await PrimaryMove(old.store.client, new.client, settings.partitions).run()
        moved = 0
        for partition in range(settings.partitions):
            first = Checkpoint(epoch=opened.epoch, offset=0, topic_id=opened.topic_id)
            moved += await Switch(refold=refold).move_in(partition, first=first)
        last = old.epochs[-1].epoch
        ends = {at: found.offset for at, found in checkpoints.items() if found is not None and found.epoch == last}
        await remember(settings, new, (*progressed(old.epochs, ends), opened))
        return {
            "partitions": settings.partitions,
            "epoch": opened.epoch,
            "moved": moved,
            "copied": sum(copied.values()),
        }


async def stay(settings: Settings, *, source: str, source_prefix: str) -> int:
    """Open the old store again, unless the next epoch has begun; how many partitions of topics were closed."""
    async with AsyncExitStack() as stack:
        return await (await _old(settings, stack, source=source, prefix=source_prefix)).reopen()


async def _close(old: OldSite) -> None:
    """Let nobody work on the old store any more, or leave it open where somebody still did."""
    await old.close()
    try:
        # Whoever began before it was closed is seen here; whoever begins now sees that it is closed.
        await old.require_alone()
    except RebuildRefused:
        await old.reopen()
        raise
    if undone := await old.undone():
        await old.reopen()
        raise RebuildRefused("something was still let in: " + _named(undone))


async def _old(settings: Settings, stack: AsyncExitStack, *, source: str, prefix: str) -> OldSite:
    store = await RedisStore.connect(source, cluster=settings.redis_cluster)
    stack.push_async_callback(store.close)
    if not (known := await known_epochs(store)):
        raise RebuildRefused("the store to move from follows no log")
    count = known[-1].shape.partitions
    before = settings.model_copy(update={"redis": source, "topic_prefix": prefix, "partitions": count})
    if source == settings.redis or prefix == settings.topic_prefix:
        raise RebuildRefused(
            "the profiles move to another store and other topics; set RAPPORT_REDIS and the topic prefix"
        )
    followed = await followed_epochs(before, store)
    if len(followed) > len(known):
        raise RebuildRefused(
            f"epoch {followed[-1].epoch} has begun: these profiles were moved, or the store is too old"
        )
    return OldSite(settings=before, store=store, epochs=followed)


async def _next_epoch(settings: Settings, old: OldSite, new: RedisStore) -> Epoch:
    """The epoch that the new topics begin; they must be empty, and of the same pseudonyms and facts."""
    if await known_epochs(new):
        raise RebuildRefused("the store to move to follows a log already; it must be empty")
    await asyncio.to_thread(ensure_topics, settings.brokers, settings.topics, replication=settings.replication)
    seen = await see_log(settings, keyring=keyring_of(settings))
    if reason := next_shape(old.epochs, seen):
        raise RebuildRefused(reason)
    zeros = (0,) * settings.partitions
    return Epoch(epoch=old.epochs[-1].epoch + 1, topic_id=seen.topic_id, shape=seen.shape, first=zeros, end=zeros)


async def _require_empty(refold: Refold) -> None:
    """RebuildRefused where an earlier move left something: the old store has gone on since."""
    for partition in range(refold.partitions):
        place, standing = await refold.store.place(partition), await refold.store.standing(refold.stream(partition))
        if (place, standing) != (None, None):
            raise RebuildRefused("the store to move to holds what an earlier move left; empty it first")


async def _fold(refold: Refold, old: OldSite) -> dict[int, Checkpoint | None]:
    """Fold anew up to the checkpoints of the old store; those, by its partitions."""
    topic = old.settings.events_topic
    checkpoints = {at: await old.checkpoint(topic, at) for at in range(old.settings.partitions)}
    ends = ends_of(refold.epochs, checkpoints, refold.archived(range(refold.partitions)))
    for partition in range(refold.partitions):
        standing = await refold.store.standing(refold.stream(partition))
        if standing is None and not await refold.fold(partition, ends=ends):
            raise RebuildRefused(f"partition {partition}: history does not reach the checkpoints")
    return checkpoints


def _has_moved(standing: Checkpoint | Closed | None) -> bool:
    return isinstance(standing, Closed) and standing.stage == "moved"


def _named(undone: list[str]) -> str:
    rest = f", and {len(undone) - 3} more" if len(undone) > 3 else ""
    return f"{'; '.join(undone[:3])}{rest}: stop what sends, let the workers come to the end, then stop them"
