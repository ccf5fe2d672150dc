"""What entries of an outbox ask of the store is done and taken out in one step, on memory, one server and a cluster."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytest
from redis.asyncio import Redis

from consent.holds import Hold, HoldName, Holds, hold_of
from consent.memory_holds import MemoryHolds
from consent.purposes import PROFILE, SUGGEST
from consent.redis_holds import RedisHolds
from events.fact import Fact
from events.position import Checkpoint, Stream
from profiles.memory_store import MemoryStore
from profiles.redis_store import RedisStore
from profiles.store import Commit, OutboxEntry, ProfileStore
from streams.dead_letters import DeadLetter, DeadLetters, encode_letter
from streams.memory_dead_letters import MemoryDeadLetters
from streams.redis_dead_letters import RedisDeadLetters
from streams.relay import Relay
from streams.settling import Settles, decode_release, encode_release, settlers
from tests.builders import PARTITIONS, admitted, consent, purchased
from tests.profiles.backends import EVERY_BACKEND, backend_of
from tests.streams.memory_settling import SettledHolds, SettledLetters
from tests.streams.test_redis_dead_letters import letter

NO = consent("withdrawn", PROFILE, event_id="no-1")
OTHER = consent("withdrawn", SUGGEST, event_id="no-1")
STREAM = Stream("profiles", "rapport.events", admitted(NO).partition)


T = TypeVar("T")


def hold(no: Fact) -> Hold:
    found = hold_of(no)
    assert found is not None
    return found


@dataclass(frozen=True)
class Settled:
    """A store, and what is settled in it."""

    store: ProfileStore
    holds: Holds
    letters: DeadLetters
    settled_holds: Settles[HoldName]
    settled_letters: Settles[DeadLetter]

    async def put(self, *entries: OutboxEntry) -> list[str]:
        """Let them wait; the ids they have."""
        before = await self.store.checkpoint(STREAM)
        following = Checkpoint(1, entries[-1].offset + 1, "a log")
        await self.store.commit(Commit(stream=STREAM, expected=before, next=following, outbox=entries))
        return [name for name, _ in await self.store.outbox(STREAM, limit=100)]


def in_memory(store: MemoryStore) -> Settled:
    holds, letters = MemoryHolds(partitions=PARTITIONS), MemoryDeadLetters()
    return Settled(store, holds, letters, SettledHolds(store, holds), SettledLetters(store, letters))


@pytest.fixture(params=EVERY_BACKEND)
async def settled(request: pytest.FixtureRequest) -> AsyncIterator[Settled]:
    async with backend_of(request) as backend:
        store = backend.store
        if isinstance(store, RedisStore):
            holds = RedisHolds(store.client, partitions=PARTITIONS)
            letters = RedisDeadLetters(store.client)
            yield Settled(store, holds, letters, holds, letters)
        else:
            assert isinstance(store, MemoryStore)
            yield in_memory(store)


def entry(offset: int, no: Fact) -> OutboxEntry:
    payload = encode_release(no)
    assert payload is not None
    return OutboxEntry(offset=offset, index=0, kind="release", payload=payload)


async def test_a_hold_ends_with_its_entry(settled: Settled) -> None:
    await settled.holds.place([hold(NO), hold(OTHER)])
    first, second = await settled.put(entry(0, NO), entry(1, OTHER))

    await settled.settled_holds.settle(STREAM, {first: hold(NO).name})

    assert await settled.holds.waiting(STREAM.partition) == [hold(OTHER)]
    assert [name for name, _ in await settled.store.outbox(STREAM, limit=9)] == [second]


async def test_several_holds_end_at_once(settled: Settled) -> None:
    await settled.holds.place([hold(NO), hold(OTHER)])
    first, second = await settled.put(entry(0, NO), entry(1, OTHER))

    await settled.settled_holds.settle(STREAM, {first: hold(NO).name, second: hold(OTHER).name})

    assert await settled.holds.waiting(STREAM.partition) == []
    assert await settled.store.outbox_length(STREAM) == 0


async def test_a_hold_whose_entry_the_store_does_not_have_stays(settled: Settled) -> None:
    await settled.holds.place([hold(NO), hold(OTHER)])
    [first] = await settled.put(entry(0, NO))

    await settled.settled_holds.settle(STREAM, {first: hold(NO).name, "17592186044499-0": hold(OTHER).name})

    assert await settled.holds.waiting(STREAM.partition) == [hold(OTHER)]


async def test_letters_are_kept_and_their_entries_taken_out(settled: Settled) -> None:
    made = [await letter(offset, b"{", MemoryDeadLetters()) for offset in range(3)]
    entries = [OutboxEntry(each.offset, 0, "dead_letter", encode_letter(each)) for each in made]
    names = await settled.put(*entries)

    await settled.settled_letters.settle(STREAM, dict(zip(names[:2], made[:2], strict=True)))

    assert [each async for each in settled.letters.listed()] == made[:2]
    assert [name for name, _ in await settled.store.outbox(STREAM, limit=9)] == names[2:]


class GoesBack:
    """A store that goes back to a copy after one of the calls of a relay."""

    def __init__(self, *, after: int) -> None:
        self.settled = in_memory(MemoryStore())
        self.after = after
        self.go_back: Callable[[], None] = lambda: None
        self.relay = Relay(
            store=self,  # type: ignore[arg-type]
            publish={},
            settle=settlers(
                letters=Counted(self.settled.settled_letters, self), holds=Counted(self.settled.settled_holds, self)
            ),
            owned=lambda: [STREAM],
        )

    def called(self) -> None:
        self.after -= 1
        if self.after == 0:
            self.go_back()

    async def outbox(self, stream: Stream, *, limit: int) -> Sequence[tuple[str, OutboxEntry]]:
        found = await self.settled.store.outbox(stream, limit=limit)
        self.called()
        return found

    async def drop_outbox(self, stream: Stream, ids: Sequence[str]) -> None:
        await self.settled.store.drop_outbox(stream, ids)
        self.called()

    def copied(self) -> None:
        """From now on it goes back to this moment."""
        store, holds, letters = self.settled.store, self.settled.holds, self.settled.letters
        assert isinstance(store, MemoryStore)
        assert isinstance(holds, MemoryHolds)
        assert isinstance(letters, MemoryDeadLetters)
        copy, held, kept = store.snapshot(), dict(holds._holds), dict(letters._letters)

        def go_back() -> None:
            store.restore(copy)
            holds._holds, letters._letters = dict(held), dict(kept)

        self.go_back = go_back


@dataclass(frozen=True)
class Counted(Generic[T]):
    settles: Settles[T]
    world: GoesBack

    async def settle(self, stream: Stream, by_entry: Mapping[str, T], /) -> None:
        await self.settles.settle(stream, by_entry)
        self.world.called()


@pytest.mark.parametrize("after", [1, 2, 3])
async def test_a_pass_over_a_restore_ends_no_hold_before_its_fact_is_folded_there(after: int) -> None:
    world = GoesBack(after=after)
    await world.settled.holds.place([hold(NO)])
    world.copied()
    await world.settled.put(entry(0, NO))

    await world.relay.drain(STREAM)

    is_folded = await world.settled.store.checkpoint(STREAM) is not None
    assert bool(await world.settled.holds.waiting(STREAM.partition)) is not is_folded


@pytest.mark.parametrize("after", [1, 2, 3])
async def test_a_pass_over_a_restore_loses_no_letter_and_leaves_no_hold(after: int) -> None:
    world = GoesBack(after=after)
    await world.settled.holds.place([hold(NO)])
    made = await letter(1, b"{", MemoryDeadLetters())
    await world.settled.put(entry(0, NO), OutboxEntry(1, 0, "dead_letter", encode_letter(made)))
    world.copied()

    await world.relay.drain(STREAM)
    await world.relay.drain(STREAM)

    assert [each async for each in world.settled.letters.listed()] == [made]
    assert await world.settled.holds.waiting(STREAM.partition) == []
    assert await world.settled.store.outbox_length(STREAM) == 0


def test_only_a_no_releases_a_hold_and_names_it_whole() -> None:
    payload = encode_release(NO)
    assert payload is not None
    assert decode_release(payload) == hold(NO).name
    assert encode_release(purchased()) is None
    assert encode_release(consent("given", PROFILE)) is None


@pytest.mark.servers
async def test_one_server_keeps_letters_in_the_step_that_takes_their_entries_out(valkey_url: str) -> None:
    made = await letter(0, b"{", MemoryDeadLetters())
    client = Redis.from_url(valkey_url, protocol=2)
    async with client.monitor() as monitor:
        await RedisDeadLetters(client).settle(STREAM, {"1-0": made})
        said: list[str] = []
        while "EXEC" not in said:
            said.append((await monitor.next_command())["command"].split(" ")[0].upper())
    await client.aclose()

    assert said[said.index("MULTI") :] == ["MULTI", "HSET", "EXPIRE", "XDEL", "EXEC"]
