"""Reading a person: hop by hop, accepted only when the links stood still, refused when that cannot be told."""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from consent.door import RefusalReason
from consent.holds import Hold, Holds
from consent.memory_holds import MemoryHolds
from consent.purposes import PROFILE
from consent.redis_holds import RedisHolds
from consent.rules import shipped_rules
from events.fact import Fact, encode_fact
from events.keys import facet_key
from events.partitioning import partition_of
from profiles.codec import encode_facet
from profiles.facet import Facet
from profiles.fold import fold
from profiles.links import MEMBERS_MAX, READ_MAX
from profiles.person import (
    FacetSource,
    PersonReader,
    PersonTooLarge,
    PersonUnreadable,
    PersonUnstable,
    StoreFacets,
)
from profiles.redis_facets import RedisFacets
from profiles.view import Loaded
from tests.builders import NOW, PARTITIONS, consent, linked, pseudonym, purchased, unlinked
from tests.profiles.backends import Backend, memory_backend, redis_backend
from tests.profiles.world import LATER, World

APP, CARD, PHONE = (pseudonym(name) for name in ("app:42", "card:7", "phone:+4930123456"))
CHAIN = [pseudonym(f"crm:{number}") for number in range(4)]


@dataclass
class Stored:
    """A stored world with the source a reader has of it."""

    backend: Backend
    holds: Holds
    source: FacetSource

    async def hold_facets(self, *facts: Fact) -> None:
        for identity, facet in World(*facts).facets.items():
            await self.plant(identity, encode_facet(facet))

    async def plant(self, identity: str, blob: bytes) -> None:
        await self.backend.plant(facet_key(partition_of(identity.encode(), PARTITIONS), identity), blob)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis", marks=pytest.mark.servers),
        pytest.param("cluster", marks=pytest.mark.servers),
    ]
)
async def stored(request: pytest.FixtureRequest) -> AsyncIterator[Stored]:
    if request.param == "memory":
        backend, holds = memory_backend(), MemoryHolds(partitions=PARTITIONS)
        yield Stored(backend, holds, StoreFacets(backend.store, holds, PARTITIONS))
        return
    server = request.getfixturevalue("valkey" if request.param == "redis" else "valkey_cluster")
    async with redis_backend(server) as real:
        client = real.store.client
        redis_holds = RedisHolds(client, partitions=PARTITIONS)
        yield Stored(real, redis_holds, RedisFacets(client, redis_holds, partitions=PARTITIONS))


async def test_a_stored_person_is_read_with_all_identities_and_holds(stored: Stored) -> None:
    await stored.hold_facets(
        purchased("o-1", identity=APP),
        purchased("o-2", identity=CARD),
        consent("given", PROFILE, identity=APP),
        *linked(APP, PHONE),
        *linked(APP, CARD),
    )
    no = consent("withdrawn", PROFILE, identity=PHONE, at=NOW + 1)
    hold = Hold(identity=PHONE, purpose=PROFILE, event_key=no.event_key, fact=encode_fact(no), made_at=NOW + 1)
    reader = PersonReader(stored.source, rules=shipped_rules())
    assert (await reader.read(CARD, now=LATER)).permits(PROFILE, at=LATER, known_at=LATER)
    await stored.holds.place([hold])
    view = await reader.read(CARD, now=LATER)
    assert view.members == tuple(sorted((APP, CARD, PHONE)))
    assert set(view.service.orders) == {"o-1", "o-2"}
    refused = view.permits(PROFILE, at=LATER, known_at=LATER)
    assert not refused
    assert refused.because is RefusalReason.HELD


async def test_an_identity_without_facts_is_read_as_a_stranger(stored: Stored) -> None:
    assert await stored.source.load_many([APP]) == {APP: Loaded()}
    assert await stored.source.load_many([]) == {}
    assert (await PersonReader(stored.source, rules=shipped_rules()).read(APP, now=LATER)).members == (APP,)


async def test_a_facet_that_cannot_be_read_leaves_no_person(stored: Stored) -> None:
    await stored.hold_facets(*linked(APP, CARD))
    await stored.plant(CARD, b"not a facet")
    with pytest.raises(PersonUnreadable):
        await PersonReader(stored.source, rules=shipped_rules()).read(APP, now=LATER)


async def test_an_identity_without_links_takes_one_round_trip() -> None:
    world = World(purchased(identity=APP), *linked(APP, CARD), *unlinked(APP, CARD, at=NOW + 1))
    await PersonReader(world, rules=shipped_rules()).read(APP, now=LATER)
    assert world.rounds == 1


async def test_linked_identities_take_one_round_trip_per_hop_and_one_to_see_that_nothing_changed() -> None:
    links = [half for one, other in pairwise(CHAIN) for half in linked(one, other)]
    world = World(*links)
    assert len((await PersonReader(world, rules=shipped_rules()).read(CHAIN[0], now=LATER)).members) == len(CHAIN)
    assert world.rounds == len(CHAIN) + 1


class Shifting:
    """A world in which something happens just before the given rounds."""

    def __init__(self, *worlds: World) -> None:
        self._worlds = list(worlds)
        self.rounds = 0

    async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
        self.rounds += 1
        world = self._worlds.pop(0) if len(self._worlds) > 1 else self._worlds[0]
        return await world.load_many(identities)


async def test_a_link_that_ends_during_the_read_is_not_relied_on() -> None:
    link, end = linked(APP, CARD), unlinked(APP, CARD, at=NOW + 1)
    before, after = World(*link), World(*link, *end)
    source = Shifting(before, before, after)
    assert (await PersonReader(source, rules=shipped_rules()).read(APP, now=LATER)).members == (APP,)


async def test_links_that_never_stand_still_are_refused() -> None:
    worlds = [World(*linked(APP, CARD, at=NOW + step)) for step in range(9)]
    with pytest.raises(PersonUnstable):
        await PersonReader(Shifting(*worlds), rules=shipped_rules()).read(APP, now=LATER)


async def test_facts_that_arrive_during_the_read_are_no_reason_to_refuse() -> None:
    link = linked(APP, CARD)
    worlds = [World(*link, *(purchased(f"o-{number}", identity=APP) for number in range(step))) for step in range(9)]
    assert (
        await PersonReader(Shifting(*worlds), rules=shipped_rules()).read(APP, now=LATER)
    ).service.orders.keys() == {"o-0", "o-1"}


def star(size: int) -> list[Fact]:
    return [half for number in range(size) for half in linked(CHAIN[0], f"olist_order:{number}")]


async def test_a_person_may_have_so_many_identities_and_no_more() -> None:
    reader = PersonReader(World(*star(MEMBERS_MAX - 1)), rules=shipped_rules())
    assert len((await reader.read(CHAIN[0], now=LATER)).members) == MEMBERS_MAX
    for size in (MEMBERS_MAX, READ_MAX):
        with pytest.raises(PersonTooLarge):
            await PersonReader(World(*star(size)), rules=shipped_rules()).read(CHAIN[0], now=LATER)


async def test_a_person_whom_too_many_identities_might_restrict_is_refused() -> None:
    perhaps = [half for number in range(READ_MAX) for half in linked(APP, f"crm:{number}", strength="probable")]
    with pytest.raises(PersonTooLarge):
        await PersonReader(World(*perhaps), rules=shipped_rules()).read(APP, now=LATER)
    assert (await PersonReader(World(*perhaps[2:]), rules=shipped_rules()).read(APP, now=LATER)).members == (APP,)


class ReleasedMeanwhile(MemoryHolds):
    """Holds of which each is folded and released just before anybody asks."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__(partitions=PARTITIONS)
        self._then = then

    async def of(self, identities: Collection[str]) -> dict[str, frozenset[str]]:
        for partition in range(PARTITIONS):
            for hold in await self.waiting(partition):
                self._then()
                await self.release(hold.name)
        return await super().of(identities)


async def test_a_no_that_is_folded_and_released_during_the_read_is_not_missed() -> None:
    given, no = consent("given", PROFILE, identity=APP), consent("withdrawn", PROFILE, identity=APP, at=NOW + 1)
    facet = fold(Facet(), given).facet
    backend = memory_backend()
    key = facet_key(partition_of(APP.encode(), PARTITIONS), APP)
    backend.store.values[key] = encode_facet(facet)
    holds = ReleasedMeanwhile(lambda: backend.store.values.update({key: encode_facet(fold(facet, no).facet)}))
    await holds.place(
        [Hold(identity=APP, purpose=PROFILE, event_key=no.event_key, fact=encode_fact(no), made_at=NOW + 1)]
    )
    view = await PersonReader(StoreFacets(backend.store, holds, PARTITIONS), rules=shipped_rules()).read(APP, now=LATER)
    assert not view.permits(PROFILE, at=LATER, known_at=LATER)


async def test_redis_is_asked_for_holds_before_facets(valkey_url: str) -> None:
    async with Redis.from_url(valkey_url) as client:
        await client.config_set("slowlog-log-slower-than", 0)
        await client.slowlog_reset()
        source = RedisFacets(client, RedisHolds(client, partitions=PARTITIONS), partitions=PARTITIONS)
        await source.load_many([APP, CARD])
        logged = [entry["command"].split(b" ")[0] for entry in await client.slowlog_get(16)]
        await client.config_set("slowlog-log-slower-than", 10_000)
    assert [word for word in reversed(logged) if word in (b"HVALS", b"GET")] == [b"HVALS"] * 2 + [b"GET"] * 2
