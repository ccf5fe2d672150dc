"""The cache must never give what the store would not."""

import asyncio
from collections.abc import Collection

import pytest

from events.position import Checkpoint, Stream
from profiles.codec import decode_facet, encode_facet
from profiles.facet import ENTRY_BYTES, Facet
from profiles.facet_cache import APART, FacetCache
from profiles.memory_store import MemoryStore
from profiles.packed import pack
from profiles.store import Commit
from tests.waiting import eventually

STREAM = Stream("profiles", "rapport.events", 3)
SMALL = len(pack(Facet())) + APART


def numbered(number: int) -> Facet:
    return Facet(recent=number.to_bytes(4, "big"))


async def loaded(cache: FacetCache, identities: Collection[str], *, partition: int = 3) -> dict[str, Facet]:
    read = await cache.load(STREAM._replace(partition=partition), identities)
    return {identity: decode_facet(encode_facet(facet)) for identity, facet in read.facets.items()}


class CountingStore(MemoryStore):
    """A store that counts what it is asked for, and may keep the caller waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.held_up: asyncio.Event | None = None

    async def load(self, partition: int, identities: Collection[str]) -> dict[str, Facet]:
        self.asked += identities
        found = await super().load(partition, identities)
        if self.held_up is not None:
            await self.held_up.wait()
        return found


@pytest.fixture
async def store() -> CountingStore:
    store = CountingStore()
    facets = {name: numbered(number) for number, name in enumerate("abcdef")}
    await store.commit(Commit(stream=STREAM, expected=None, next=Checkpoint(1, 1), facets=facets))
    return store


async def test_what_is_held_is_not_asked_for_again(store: CountingStore) -> None:
    cache = FacetCache(store)
    assert await loaded(cache, {"a", "b"}) == {"a": numbered(0), "b": numbered(1)}
    cache.put(3, {"z": numbered(9)})

    assert await loaded(cache, ["a", "c", "z"]) == {"a": numbered(0), "c": numbered(2), "z": numbered(9)}

    assert sorted(store.asked) == ["a", "b", "c"]


async def test_what_is_loaded_comes_with_the_checkpoint_that_stood_there(store: CountingStore) -> None:
    cache = FacetCache(store)

    assert (await cache.load(STREAM, ["a"])).stood == (Checkpoint(1, 1),)
    assert (await cache.load(STREAM, ["a"])).stood == ()


async def test_a_facet_that_was_put_replaces_the_one_that_was_loaded(store: CountingStore) -> None:
    cache = FacetCache(store)
    await loaded(cache, ["a"])
    cache.put(3, {"a": numbered(7)})

    assert await loaded(cache, ["a"]) == {"a": numbered(7)}


async def test_somebody_unknown_is_asked_for_until_there_is_a_facet(store: CountingStore) -> None:
    cache = FacetCache(store)

    assert await loaded(cache, ["nobody"]) == {}
    assert await loaded(cache, ["nobody"]) == {}

    assert store.asked == ["nobody", "nobody"]


async def test_a_dropped_partition_is_asked_for_again_and_others_are_kept(store: CountingStore) -> None:
    cache = FacetCache(store)
    cache.put(3, {"a": numbered(7)})
    cache.put(4, {"a": numbered(8)})

    cache.drop(3)
    cache.drop(5)

    assert await loaded(cache, ["a"]) == {"a": numbered(0)}
    assert await loaded(cache, ["a"], partition=4) == {"a": numbered(8)}


async def test_what_arrives_after_the_partition_was_dropped_is_not_held(store: CountingStore) -> None:
    cache = FacetCache(store)
    store.held_up = asyncio.Event()
    loading = asyncio.create_task(loaded(cache, ["a"]))

    async def is_asked() -> bool:
        return store.asked == ["a"]

    await eventually(is_asked, what="the store asked")

    cache.drop(3)
    store.held_up.set()

    assert await loading == {"a": numbered(0)}
    assert len(cache) == 0


async def test_the_least_recently_used_go_first(store: CountingStore) -> None:
    cache = FacetCache(store, facets_max=3)
    await loaded(cache, ["a", "b", "c"])
    await loaded(cache, ["a"])
    cache.put(3, {"d": numbered(3)})
    store.asked.clear()

    await loaded(cache, ["a", "c", "d"])
    assert store.asked == []
    await loaded(cache, ["b"])
    assert store.asked == ["b"]
    assert len(cache) == 3


async def test_a_quiet_partition_is_not_emptied_by_a_busy_one(store: CountingStore) -> None:
    cache = FacetCache(store, facets_max=10)
    cache.put(4, {"quiet": numbered(1)})
    cache.put(3, {str(number): numbered(number) for number in range(100)})

    assert len(cache) == 10
    assert await loaded(cache, ["quiet"], partition=4) == {"quiet": numbered(1)}


async def test_who_did_much_takes_the_room_of_many(store: CountingStore) -> None:
    cache = FacetCache(store, bytes_max=100 * SMALL)
    cache.put(4, {str(number): numbered(number) for number in range(20)})
    for busy in "ab":
        cache.put(3, {busy: Facet(recent=b"\x01" * 70 * SMALL)})

    assert len(cache) == 21
    assert await loaded(cache, ["b"]) != {"b": numbered(1)}
    assert store.asked == []


async def test_a_facet_that_grows_is_weighed_anew_and_one_too_heavy_is_not_held(store: CountingStore) -> None:
    cache = FacetCache(store, bytes_max=100 * SMALL)
    for number in range(1000):
        cache.put(3, {"a": Facet(recent=b"\x01" * ENTRY_BYTES * (number % 50))})
    assert len(cache) == 1

    cache.put(3, {"a": Facet(recent=b"\x01" * 100 * SMALL)})
    assert len(cache) == 0


async def test_more_than_fit_are_still_all_given(store: CountingStore) -> None:
    cache = FacetCache(store, facets_max=2)

    assert len(await loaded(cache, "abcdef")) == 6
    assert len(cache) == 2


def test_a_cache_for_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        FacetCache(MemoryStore(), facets_max=0)
