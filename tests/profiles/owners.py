"""A small world around a store: a log, owners that fold it, a relay; and what must hold whatever they do.

The owners are the real ones (`StreamFold`, `FoldWork`, `FacetCache`). Only their fold is naive on purpose: it appends a
number to a facet every time it is asked. The real one recognises what it has seen, which would hide a commit that
counts twice.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from msgspec.structs import replace

from events.fact import Fact, encode_fact
from events.position import Checkpoint, Position, Stream
from events.transactions import Purchased
from profiles.facet import Facet
from profiles.facet_cache import FacetCache
from profiles.fold import Folded
from profiles.memory_store import MemoryStore, Snapshot
from profiles.redis_store import RedisStore
from profiles.store import (
    Commit,
    Committed,
    Mismatch,
    OutboxEntry,
    ProfileStore,
    ProfileStoreUnavailable,
    Standing,
)
from streams.dead_letters import Undertaker
from streams.fold_work import Facets, FoldWork
from streams.folding import LogIdentity, StoredCheckpoints, StreamFold
from streams.frame import Answer, Frame, Handled, Record, SeekTo
from streams.memory_dead_letters import MemoryDeadLetters
from tests.builders import NOW, pseudonym, purchased

STREAM = Stream("profiles", "rapport.events", 0)
LOG = LogIdentity(epoch=1, topic_id="a log")
PEOPLE = tuple(pseudonym(name) for name in ("app:a", "app:b", "app:c"))
_EMPTY = Facet()

Pause = Literal["load", "commit"]


class Told(NamedTuple):
    """A record of the log."""

    offset: int
    identity: str
    number: int

    @property
    def is_announced(self) -> bool:
        return self.number % 3 == 0

    @property
    def record(self) -> Record:
        fact = purchased(str(self.number), identity=self.identity)
        return Record(self.offset, NOW, self.identity.encode(), encode_fact(fact))


class Vault(Protocol):
    """A store that can be put back to what it was."""

    @property
    def store(self) -> ProfileStore: ...

    async def snapshot(self) -> Any: ...

    async def restore(self, snapshot: Any) -> None: ...


@dataclass(frozen=True)
class MemoryVault:
    store: MemoryStore

    async def snapshot(self) -> Snapshot:
        return self.store.snapshot()

    async def restore(self, snapshot: Snapshot) -> None:
        self.store.restore(snapshot)


@dataclass(frozen=True)
class RedisVault:
    store: RedisStore

    async def snapshot(self) -> dict[bytes, bytes]:
        ask = self.store.client.execute_command
        return {key: await ask("DUMP", key) for key in await ask("KEYS", "*")}

    async def restore(self, snapshot: Mapping[bytes, bytes]) -> None:
        ask = self.store.client.execute_command
        await ask("FLUSHDB")
        for key, value in snapshot.items():
            await ask("RESTORE", key, 0, value)


@dataclass
class Line:
    """The way from one owner to the store: the owner may fall asleep on it, and an answer may be lost on it."""

    store: ProfileStore
    pause: Pause | None = None
    loses_answer: bool = False
    asleep: asyncio.Event = field(default_factory=asyncio.Event)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def checkpoint(self, stream: Stream) -> Checkpoint | None:
        return await self.store.checkpoint(stream)

    async def load(self, partition: int, identities: Collection[str]) -> dict[str, Facet]:
        return await self.store.load(partition, identities)

    async def load_standing(self, stream: Stream, identities: Collection[str]) -> Standing:
        await self._sleep("load")
        return await self.store.load_standing(stream, identities)

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        await self._sleep("commit")
        outcome = await self.store.commit(commit)
        if self.loses_answer:
            self.loses_answer = False
            raise ProfileStoreUnavailable("the answer is lost")
        return outcome

    async def outbox(self, stream: Stream, *, limit: int) -> list[tuple[str, OutboxEntry]]:
        return await self.store.outbox(stream, limit=limit)

    async def drop_outbox(self, stream: Stream, ids: Sequence[str]) -> None:
        await self.store.drop_outbox(stream, ids)

    async def outbox_length(self, stream: Stream) -> int:
        return await self.store.outbox_length(stream)

    async def _sleep(self, before: Pause) -> None:
        if self.pause == before:
            self.pause = None
            self.asleep.set()
            await self.woken.wait()


MakeFacets = Callable[[ProfileStore], Facets]


def few_facets(store: ProfileStore) -> Facets:
    """A cache so small that facets leave it while the test runs."""
    return FacetCache(store, facets_max=2)


@dataclass
class Owner:
    """Somebody who believes to own the partition, and is handed its frames as the transport does."""

    store: ProfileStore
    log: list[Told]
    facets: MakeFacets = few_facets
    position: int = 0
    line: Line = field(init=False)
    fold: StreamFold = field(init=False)
    in_hand: tuple[Frame, asyncio.Task[Answer]] | None = None

    async def assigned(self) -> "Owner":
        """Begin anew, where the store says."""
        self.line = Line(self.store)
        work = FoldWork(
            facets=self.facets(self.line),
            undertaker=Undertaker(keys=MemoryDeadLetters()),
            candidates=_announced,
            clock=lambda: NOW,
            partitions=1,
            fold=_counted,
        )
        self.fold = StreamFold(app=STREAM.app, topic=STREAM.topic, log=LOG, store=self.line, work=work)
        checkpoints = StoredCheckpoints(app=STREAM.app, store=self.store, starts=_starts, logs={STREAM.topic: LOG})
        self.position = (await checkpoints.committed(STREAM.topic, [0]))[0] or 0
        return self

    async def takes(self, *, records: int, sleeps_before: Pause | None = None, loses_answer: bool = False) -> None:
        """Take the next frame in hand, after the one before; fold it, or fall asleep over it."""
        await self.wakes()
        frame = self._next(records)
        if frame.end == frame.start:
            return
        self.line.pause, self.line.loses_answer = sleeps_before, loses_answer
        self.line.asleep.clear()
        self.line.woken.clear()
        folding = asyncio.create_task(self._folded(frame))
        self.in_hand = (frame, folding)
        sleeping = asyncio.create_task(self.line.asleep.wait())
        await asyncio.wait([folding, sleeping], return_when=asyncio.FIRST_COMPLETED)
        sleeping.cancel()
        if folding.done():
            await self.wakes()

    async def wakes(self) -> None:
        """Finish the frame in hand, and act on the answer."""
        if self.in_hand is None:
            return
        (frame, folding), self.in_hand = self.in_hand, None
        self.line.pause = None
        self.line.woken.set()
        match await folding:
            case Handled():
                self.position = frame.end
            case SeekTo(offset):
                self.position = offset
            case _:  # stopped: until it is assigned again
                await self.assigned()

    async def crashes(self) -> None:
        """Whatever it was about to do, it does not."""
        if self.in_hand is not None:
            (_, folding), self.in_hand = self.in_hand, None
            folding.cancel()
            with suppress(asyncio.CancelledError):
                await folding
        await self.assigned()

    async def _folded(self, frame: Frame) -> Answer:
        try:
            return await self.fold(frame)
        except ProfileStoreUnavailable:
            return await self.fold(frame)

    def _next(self, records: int) -> Frame:
        ahead = [told for told in self.log if told.offset >= self.position]
        chosen, following = ahead[:records], ahead[records : records + 1]
        # As a fetch does, step over a hole that is known to be one.
        end = following[0].offset if following else chosen[-1].offset + 1 if chosen else self.position
        return Frame(
            topic=STREAM.topic,
            partition=0,
            generation=1,
            start=self.position,
            end=end,
            records=[told.record for told in chosen],
        )


async def _starts(_topic: str) -> dict[int, int]:
    return {0: 0}


def _number(fact: Fact) -> int:
    assert isinstance(fact.body, Purchased)
    return int(fact.body.order_id)


def _counted(facet: Facet, fact: Fact) -> Folded:
    return Folded(replace(facet, recent=facet.recent + _number(fact).to_bytes(2, "big")), "applied")


def _announced(fact: Fact, position: Position) -> list[bytes]:
    told = Told(position.offset, fact.identity, _number(fact))
    return [announcement(told).payload] if told.is_announced else []


def announcement(told: Told) -> OutboxEntry:
    """The entry that follows from a record."""
    return OutboxEntry(offset=told.offset, index=1, kind="candidate", payload=str(tuple(told)).encode())


class Receiver:
    """Who gets what the relay publishes; repeats carry the same id."""

    def __init__(self) -> None:
        self.received: dict[str, OutboxEntry] = {}

    def take(self, name: str, entry: OutboxEntry) -> None:
        known = self.received.setdefault(name, entry)
        assert known == entry, "one id stands for two announcements"


async def assert_every_record_counted_once(store: ProfileStore, log: list[Told], receiver: Receiver) -> int:
    """Compare the store with a plain fold of the log up to the checkpoint; answers the checkpoint's offset."""
    standing = await store.checkpoint(STREAM)
    offset = standing.offset if standing else 0
    behind = [told for told in log if told.offset < offset]
    facets = await store.load(0, PEOPLE)
    for identity in PEOPLE:
        expected = b"".join(told.number.to_bytes(2, "big") for told in behind if told.identity == identity)
        assert facets.get(identity, _EMPTY).recent == expected
    waiting = dict(await store.outbox(STREAM, limit=10_000))
    announced = {told.offset: announcement(told) for told in behind if told.is_announced}
    assert all(announced[entry.offset] == entry for entry in waiting.values())
    known = {entry.offset for entry in [*waiting.values(), *receiver.received.values()]}
    assert announced.keys() <= known, "an announcement was lost"
    return offset
