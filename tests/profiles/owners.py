"""A small world around a store: a log, owners that fold it, a relay; and what must hold whatever they do.

The fold here is naive on purpose: it appends a number to a facet every time it is asked. The real one recognises what
it has seen, which would hide a commit that counts twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec

from events.position import Checkpoint, Stream
from profiles.facet import Facet
from profiles.facet_cache import FacetCache
from profiles.memory_store import MemoryStore, Snapshot
from profiles.redis_store import RedisStore
from profiles.store import Commit, Committed, OutboxEntry, ProfileStore

STREAM = Stream("profiles", "rapport.events", 0)
PEOPLE = ("app:a", "app:b", "app:c")
_EMPTY = Facet()


class Told(NamedTuple):
    """A record of the log."""

    offset: int
    identity: str
    number: int

    @property
    def is_announced(self) -> bool:
        return self.number % 3 == 0


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
class Owner:
    """Somebody who believes to own the partition."""

    store: ProfileStore
    log: list[Told]
    standing: Checkpoint | None = None
    prepared: Commit | None = None
    cache: FacetCache = field(init=False)

    def __post_init__(self) -> None:
        # Small enough that facets leave it while the test runs.
        self.cache = FacetCache(self.store, facets_max=2)

    async def assigned(self) -> "Owner":
        self.standing = await self.store.checkpoint(STREAM)
        return self

    async def prepare(self, *, records: int) -> None:
        """Fold the next records; the commit is made and not yet sent.

        What was loaded while another checkpoint stood is not folded on: should the store then go back to the very
        checkpoint this owner expects, the commit would carry facets from a future that is gone.
        """
        self.prepared = None
        start = self.standing or Checkpoint(epoch=1, offset=0)
        chosen = [told for told in self.log if told.offset >= start.offset][:records]
        facets = await self.cache.load(0, {told.identity for told in chosen})
        if (found := await self.store.checkpoint(STREAM)) != self.standing:
            self.standing = found
            self.cache.drop(0)
            return
        for told in chosen:
            facet = facets.get(told.identity, _EMPTY)
            facets[told.identity] = msgspec.structs.replace(facet, recent=facet.recent + told.number.to_bytes(2, "big"))
        following = next((told for told in self.log if told not in chosen and told.offset >= start.offset), None)
        # As a fetch does, step over a hole that is known to be one.
        end = following.offset if following else chosen[-1].offset + 1 if chosen else start.offset
        self.prepared = Commit(
            stream=STREAM,
            expected=self.standing,
            next=start.advanced(offset=end, fingerprint=f"{chosen[-1].offset}" if chosen else ""),
            facets=facets,
            outbox=[announcement(told) for told in chosen if told.is_announced],
        )

    async def send(self) -> None:
        """Send what is prepared and learn from the answer."""
        if self.prepared is None:
            return
        commit, self.prepared = self.prepared, None
        outcome = await self.store.commit(commit)
        if isinstance(outcome, Committed):
            self.standing = commit.next
            self.cache.put(0, commit.facets)
        else:
            self.standing = outcome.found
            self.cache.drop(0)


def announcement(told: Told) -> OutboxEntry:
    """The entry that follows from a record."""
    return OutboxEntry(offset=told.offset, index=0, kind="candidate", payload=str(told).encode())


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
