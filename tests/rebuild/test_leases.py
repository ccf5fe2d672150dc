"""Who works on a store is known there, and nobody goes on in one that the profiles left."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from commands.lease import LayoutLeft, Lease, leased
from commands.logs import PROFILES, remember
from commands.settings import Settings, settings_of
from embedded.ports import LOOPBACK, free_port
from events.epochs import Epoch, LogShape
from events.keys import global_key
from events.position import Checkpoint, Stream
from profiles.rebuild import MOVED, Closed, moved_from
from profiles.redis_leases import LEASE_S, Holder, RedisLeases
from profiles.redis_rebuild import RedisRebuild
from profiles.redis_store import RedisStore, redis_client
from profiles.store import Commit, Committed, ProfileStoreUnavailable
from tests.profiles.backends import PARTITIONS

pytestmark = pytest.mark.servers

API = Holder(name="api", host="here", pid=7, partitions=PARTITIONS)
FIRST = Checkpoint(epoch=1, offset=1, topic_id="t")


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[RedisStore]:
    made = await RedisStore.connect(valkey_url)
    yield made
    await made.close()


@pytest.fixture
def settings(valkey_url: str, tmp_path: Path) -> Settings:
    return settings_of(redis=valkey_url, data=tmp_path, partitions=PARTITIONS)


class Interrupted:
    """A store to which something happens right after a lease was written."""

    def __init__(self, store: RedisStore, happens: Callable[[], Awaitable[None]]) -> None:
        self._store, self._happens = store, happens

    @property
    def client(self) -> "Interrupted":
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store.client, name)

    async def eval(self, *words: Any) -> Any:
        answer: Any = await self._store.client.eval(*words)
        await self._happens()
        return answer


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def stream_of(settings: Settings) -> Stream:
    return Stream(PROFILES, settings.events_topic, 0)


async def moved(settings: Settings, store: RedisStore) -> Closed:
    """Close the store for good, as a move does."""
    commit = Commit(stream=stream_of(settings), expected=None, next=FIRST)
    assert await store.commit(commit) == Committed()
    closed = moved_from(FIRST)
    assert await RedisRebuild(store.client).change(stream_of(settings), FIRST, closed)
    return closed


def spread(settings: Settings, partitions: int) -> Epoch:
    zeros = (0,) * partitions
    shape = LogShape(partitions=partitions, key_fingerprint="k")
    return Epoch(epoch=1, topic_id="t", shape=shape, first=zeros, end=zeros)


async def test_a_lease_is_held_until_it_ends_and_by_each_process_alone(store: RedisStore) -> None:
    leases, other = RedisLeases(store.client), Holder(name="api", host="there", pid=7, partitions=2)
    for holder in (API, other, API):
        await leases.renew(holder)
    assert set(await leases.held()) == {API, other}

    await leases.end(API)

    assert await leases.held() == [other]


async def test_what_was_not_renewed_is_forgotten_by_the_clock_of_the_store(store: RedisStore) -> None:
    leases = RedisLeases(store.client)
    await leases.renew(API)
    key = global_key("lease")
    [(raw, ends_ms)] = await ranked(store, key)
    seconds, micros = await now_of(store)
    assert 0 < ends_ms - (seconds * 1000 + micros / 1000) <= LEASE_S * 1000

    await store.client.zadd(key, {raw: 1})

    assert await leases.held() == []


async def ranked(store: RedisStore, key: str) -> list[tuple[bytes, float]]:
    found: Any = await store.client.zrange(key, 0, -1, withscores=True)
    return list(found)


async def now_of(store: RedisStore) -> tuple[int, int]:
    seconds, micros = await store.client.time()
    return seconds, micros


async def test_a_full_store_still_takes_a_lease(store: RedisStore) -> None:
    await store.client.config_set("maxmemory", "1")
    try:
        await RedisLeases(store.client).renew(API)
        assert await RedisLeases(store.client).held() == [API]
    finally:
        await store.client.config_set("maxmemory", "0")


async def test_a_process_holds_a_lease_as_long_as_it_works(settings: Settings, store: RedisStore) -> None:
    async with leased(settings, store, name="api") as lease:
        [held] = await RedisLeases(store.client).held()
        assert (held.name, held.partitions) == ("api", PARTITIONS)
        assert lease.refusal() is None
    assert await RedisLeases(store.client).held() == []


async def test_nobody_begins_in_a_store_that_was_left(settings: Settings, store: RedisStore) -> None:
    await moved(settings, store)
    with pytest.raises(LayoutLeft, match="moved to another store"):
        async with leased(settings, store, name="api"):
            pass
    assert await RedisLeases(store.client).held() == []


async def test_nobody_begins_who_counts_the_partitions_otherwise(settings: Settings, store: RedisStore) -> None:
    await remember(settings, store, [spread(settings, PARTITIONS + 1)])
    with pytest.raises(LayoutLeft, match=f"over {PARTITIONS + 1} partitions, the settings say {PARTITIONS}"):
        async with leased(settings, store, name="train"):
            pass


async def test_a_lease_runs_out_here_before_it_does_in_the_store(settings: Settings, store: RedisStore) -> None:
    clock = Clock()
    lease = Lease(settings, store, API, clock)
    assert "ran out" in str(lease.refusal())
    await lease.renew()
    clock.now += LEASE_S - 2
    assert lease.refusal() is None
    clock.now += 1
    assert "ran out" in str(lease.refusal())

    await lease.renew()

    assert lease.refusal() is None


async def test_the_time_an_answer_took_is_not_counted_as_leased(settings: Settings, store: RedisStore) -> None:
    clock = Clock()

    async def hours_pass() -> None:
        clock.now += LEASE_S

    lease = Lease(settings, Interrupted(store, hours_pass), API, clock)  # type: ignore[arg-type]
    await lease.renew()
    assert "ran out" in str(lease.refusal())


async def test_who_was_at_work_when_the_store_was_left_hears_of_it_and_may_go_on_if_it_is_called_off(
    settings: Settings, store: RedisStore
) -> None:
    lease = Lease(settings, store, API)
    closed = await moved(settings, store)
    await RedisLeases(store.client).renew(API)

    await lease.renew()

    assert lease.refusal() == MOVED
    assert await RedisLeases(store.client).held() == []
    assert await RedisRebuild(store.client).reopen(stream_of(settings), closed, FIRST, is_done=False)
    await lease.renew()
    assert lease.refusal() is None


async def test_a_move_between_two_looks_is_seen_by_the_second(settings: Settings, store: RedisStore) -> None:
    """A lease is written, and then it is looked again whether the store was left before that."""

    async def left_meanwhile() -> None:
        await moved(settings, store)

    lease = Lease(settings, Interrupted(store, left_meanwhile), API)  # type: ignore[arg-type]
    await lease.renew()
    assert lease.refusal() == MOVED
    assert await RedisLeases(store.client).held() == []


async def test_a_store_that_is_away_does_not_shorten_a_lease(settings: Settings, store: RedisStore) -> None:
    lease = Lease(settings, store, API)
    await lease.renew()
    lease.store = RedisStore(redis_client(f"redis://{LOOPBACK}:{free_port()}", cluster=False))
    with pytest.raises(ProfileStoreUnavailable):
        await lease.renew()
    assert lease.refusal() is None
