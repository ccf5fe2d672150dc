"""What every place for holds keeps to, on memory, a single store and a cluster."""

from collections.abc import AsyncIterator

import pytest

from consent.holds import Hold, Holds, hold_of
from consent.memory_holds import MemoryHolds
from consent.purposes import OUTREACH_CHANNELS, PROFILE, PURPOSES, SUGGEST
from consent.redis_faults import Client
from consent.redis_holds import RedisHolds
from events.fact import decode_fact
from events.keys import partition_key
from events.partitioning import partition_of
from tests.builders import NOW, consent, pseudonym, purchased
from tests.consent.stores import PARTITIONS, client_of, kinds

ANNA, BEN = pseudonym("app:anna"), pseudonym("phone:+49301234567")
EMAIL = f"outreach.{OUTREACH_CHANNELS[0]}"


def withdrawn(identity: str, purpose: str = PROFILE, *, at: int = NOW) -> Hold:
    hold = hold_of(consent("withdrawn", purpose, identity=identity, at=at))
    assert hold is not None
    return hold


@pytest.fixture(params=kinds())
async def holds(request: pytest.FixtureRequest) -> AsyncIterator[Holds]:
    if request.param == "memory":
        yield MemoryHolds(partitions=PARTITIONS)
        return
    async with client_of(request.param, request) as client:
        yield RedisHolds(client, partitions=PARTITIONS)


async def waiting(holds: Holds) -> list[Hold]:
    return [hold for partition in range(PARTITIONS) for hold in await holds.waiting(partition)]


async def test_a_hold_closes_its_purpose_for_its_identity_alone(holds: Holds) -> None:
    await holds.place([withdrawn(ANNA)])
    assert await holds.of([ANNA, BEN]) == {ANNA: {PROFILE}, BEN: frozenset()}


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["redis", "cluster"])
async def test_what_waits_is_counted_over_all_partitions(kind: str, request: pytest.FixtureRequest) -> None:
    async with client_of(kind, request) as client:
        holds = RedisHolds(client, partitions=PARTITIONS)
        await holds.place([withdrawn(ANNA), withdrawn(ANNA, SUGGEST), withdrawn(BEN)])
        assert await holds.waiting_total() == 3
        await holds.release(withdrawn(BEN).name)
        assert await holds.waiting_total() == 2


async def test_nobody_is_asked_about_nobody(holds: Holds) -> None:
    assert await holds.of([]) == {}


async def test_a_hold_placed_twice_is_one_hold(holds: Holds) -> None:
    hold = withdrawn(ANNA)
    await holds.place([hold])
    await holds.place([hold, hold])
    assert await waiting(holds) == [hold]
    await holds.release(hold.name)
    assert await holds.of([ANNA]) == {ANNA: frozenset()}


async def test_holds_of_many_partitions_are_placed_together(holds: Holds) -> None:
    people = [pseudonym(f"app:{number}") for number in range(24)]
    await holds.place([withdrawn(person) for person in people])
    assert len({partition_of(person.encode(), PARTITIONS) for person in people}) > 1
    assert await holds.of(people) == {person: {PROFILE} for person in people}


async def test_a_release_ends_exactly_that_hold(holds: Holds) -> None:
    first, second = withdrawn(ANNA, at=NOW), withdrawn(ANNA, at=NOW + 1)
    await holds.place([first, second, withdrawn(ANNA, SUGGEST), withdrawn(BEN)])
    await holds.release(first.name)
    assert await holds.of([ANNA, BEN]) == {ANNA: {PROFILE, SUGGEST}, BEN: {PROFILE}}
    await holds.release(second.name)
    assert await holds.of([ANNA, BEN]) == {ANNA: {SUGGEST}, BEN: {PROFILE}}


async def test_two_noes_under_one_event_key_do_not_share_a_hold(holds: Holds) -> None:
    first, other = (hold_of(consent("withdrawn", each, identity=ANNA, event_id="no-1")) for each in (PROFILE, SUGGEST))
    assert first is not None
    assert other is not None
    assert first.event_key == other.event_key
    await holds.place([first])
    await holds.place([other])
    assert await holds.of([ANNA]) == {ANNA: {PROFILE, SUGGEST}}

    await holds.release(first.name)

    assert await waiting(holds) == [other]
    assert await holds.of([ANNA]) == {ANNA: {SUGGEST}}


async def test_the_release_of_what_does_not_stand_does_nothing(holds: Holds) -> None:
    hold = withdrawn(ANNA)
    await holds.place([hold])
    await holds.release(withdrawn(BEN).name)
    await holds.release(hold.name._replace(event_key=b"\x00" * 8))
    assert await waiting(holds) == [hold]


async def test_waiting_holds_carry_their_fact_and_come_oldest_first(holds: Holds) -> None:
    same_partition = partition_of(ANNA.encode(), PARTITIONS)
    late, early = withdrawn(ANNA, at=NOW + 5), withdrawn(ANNA, EMAIL, at=NOW)
    await holds.place([late, early])
    found = await holds.waiting(same_partition)
    assert found == [early, late]
    assert decode_fact(found[0].fact) == consent("withdrawn", EMAIL, identity=ANNA, at=NOW)
    assert await holds.waiting((same_partition + 1) % PARTITIONS) == []


@pytest.fixture(params=[pytest.param("redis", marks=pytest.mark.servers)])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with client_of(request.param, request) as found:
        yield found


@pytest.mark.parametrize("stored", [b"not a hold", b"\x93\xa2\xff\xfe\xa1x\x01", b"\x94\xa1p\xa1x\x01\x02"])
async def test_a_hold_that_cannot_be_read_closes_every_purpose(client: Client, stored: bytes) -> None:
    holds = RedisHolds(client, partitions=PARTITIONS)
    await holds.place([withdrawn(ANNA)])
    key = partition_key("hold", partition_of(ANNA.encode(), PARTITIONS), ANNA)
    await client.hset(key, f"{withdrawn(ANNA).event_key.hex()} {PROFILE}", stored)
    assert await holds.of([ANNA]) == {ANNA: frozenset(PURPOSES)}
    assert await waiting(holds) == []


async def test_another_s_pipeline_carries_the_reads(client: Client) -> None:
    holds = RedisHolds(client, partitions=PARTITIONS)
    await holds.place([withdrawn(ANNA)])
    async with client.pipeline(transaction=False) as pipeline:
        holds.add_reads(pipeline, [BEN, ANNA])
        assert holds.parse([BEN, ANNA], await pipeline.execute()) == {BEN: frozenset(), ANNA: {PROFILE}}


def test_only_a_no_about_a_purpose_there_is_asks_for_a_hold() -> None:
    assert withdrawn(ANNA, SUGGEST).purpose == SUGGEST
    assert hold_of(consent("refused", PROFILE)) is not None
    for fact in (consent("given", PROFILE), consent("withdrawn", "profile.sell"), purchased()):
        assert hold_of(fact) is None
