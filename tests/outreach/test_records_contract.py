"""What every place for decisions and for timers keeps to, on memory, a single store and a cluster."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from events.keys import FAMILIES, partition_key
from events.partitioning import partition_of
from outreach.candidates import Candidate, encode_candidate
from outreach.decision import Claim, Decision, decision_id
from outreach.records import MemoryRecords, OutreachRecords, OutreachUnavailable, Room
from outreach.redis_records import RedisRecords
from outreach.redis_timers import RedisTimers
from outreach.timers import MemoryTimers, Timers
from tests.builders import DAY, NOW, pseudonym
from tests.consent.stores import PARTITIONS, client_of, kinds

ANNA, BEN = pseudonym("app:anna"), pseudonym("phone:+49301234567")
TWO = Room(2, NOW - 7 * DAY)


def sending(name: str, *, identity: str = ANNA, at: int = NOW, counts: bool = True) -> Decision:
    return Decision(
        format=1,
        id=decision_id(
            key=b"a key for tests only",
            trigger="t",
            person=identity,
            occasion=name,
            partition=partition_of(identity.encode(), PARTITIONS),
        ),
        occasion=name,
        trigger="t",
        identity=identity,
        at=at,
        verdict="send",
        because="allowed",
        channel="push",
        counts=counts,
        candidate=Candidate(1, "t", identity, "order-1", at, at, b"12345678"),
    )


@pytest.fixture(params=kinds())
async def records(request: pytest.FixtureRequest) -> AsyncIterator[OutreachRecords]:
    if request.param == "memory":
        yield MemoryRecords()
        return
    async with client_of(request.param, request) as client:
        yield RedisRecords(client, partitions=PARTITIONS)


async def test_a_decision_is_found_by_its_id_and_by_its_identity(records: OutreachRecords) -> None:
    mine, other = sending("a"), sending("b", identity=BEN, at=NOW + 1)
    assert await records.write(mine, before=None) == "written"
    assert await records.write(other, before=None) == "written"

    assert await records.find(mine.id) == mine
    assert await records.decisions_of([ANNA]) == [mine]
    assert await records.decisions_of([ANNA, BEN]) == [other, mine]


async def test_nothing_is_known_of_whom_nothing_was_decided(records: OutreachRecords) -> None:
    assert await records.decisions_of([]) == []
    assert await records.decisions_of([ANNA]) == []
    for unknown in ("", "x", f"{PARTITIONS}-{'0' * 32}", f"1-{'0' * 32}"):
        assert await records.find(unknown) is None


async def test_a_decision_is_written_over_the_one_expected_only(records: OutreachRecords) -> None:
    first = sending("a")
    second = replace(first, published=True)
    await records.write(first, before=None)

    assert await records.write(second, before=None) == "changed"
    assert await records.write(first, before=second) == "changed"
    assert await records.find(first.id) == first
    assert await records.write(second, before=first) == "written"
    assert await records.find(first.id) == second
    assert await records.decisions_of([ANNA]) == [second]


async def test_the_cap_takes_no_more_than_there_is_room_for(records: OutreachRecords) -> None:
    assert await records.write(sending("a"), before=None, room=TWO) == "written"
    assert await records.write(sending("b"), before=None, room=TWO) == "written"
    assert await records.write(sending("c"), before=None, room=TWO) == "full"
    assert await records.find(sending("c").id) is None
    assert await records.write(sending("c", identity=BEN), before=None, room=TWO) == "written"


async def test_what_is_written_again_takes_of_the_cap_once(records: OutreachRecords) -> None:
    first = sending("a")
    await records.write(first, before=None, room=TWO)
    assert await records.write(replace(first, published=True), before=first, room=Room(1, NOW - DAY)) == "written"


async def test_tasks_and_what_lies_before_the_window_take_nothing_of_the_cap(records: OutreachRecords) -> None:
    one = Room(1, NOW - DAY)
    await records.write(sending("old", at=NOW - DAY), before=None)
    assert await records.write(sending("task", counts=False), before=None, room=one) == "written"
    assert await records.write(sending("a"), before=None, room=one) == "written"
    assert await records.write(sending("b"), before=None, room=one) == "full"
    assert await records.write(sending("another task", counts=False), before=None, room=one) == "written"


async def test_a_no_go_gives_its_place_back(records: OutreachRecords) -> None:
    one = Room(1, NOW - DAY)
    first = sending("a")
    await records.write(first, before=None, room=one)
    refused = replace(first, claim=Claim(NOW, go=False, because="withdrawn", receipt="r"))
    await records.write(refused, before=first)
    assert await records.write(sending("b"), before=None, room=one) == "written"


@pytest.fixture(params=kinds())
async def timers(request: pytest.FixtureRequest) -> AsyncIterator[Timers]:
    if request.param == "memory":
        yield MemoryTimers()
        return
    async with client_of(request.param, request) as client:
        yield RedisTimers(client)


def waiting(name: str, due: int) -> Candidate:
    return Candidate(1, "t", ANNA, name, NOW, due, b"12345678", ANNA, ANNA, "")


async def test_what_is_due_comes_longest_due_first_and_waits_until_dropped(timers: Timers) -> None:
    late, early, far = waiting("a", NOW), waiting("b", NOW - 1), waiting("c", NOW + 1)
    for candidate in (late, early, far, late):
        await timers.schedule(3, candidate)
    due = [encode_candidate(early), encode_candidate(late)]

    assert await timers.due(3, now=NOW, limit=10) == due
    assert await timers.due(3, now=NOW, limit=1) == due[:1]
    assert await timers.due(4, now=NOW, limit=10) == []
    await timers.drop(3, due)
    await timers.drop(3, [])
    assert await timers.due(3, now=NOW + 1, limit=10) == [encode_candidate(far)]


@pytest.mark.servers
async def test_decisions_and_caps_are_forgotten_in_time(request: pytest.FixtureRequest) -> None:
    async with client_of("redis", request) as client:
        records = RedisRecords(client, partitions=PARTITIONS)
        decision = sending("a")
        await records.write(decision, before=None, room=TWO)
        partition = partition_of(ANNA.encode(), PARTITIONS)
        for family, rest in (("outreach", (decision.id,)), ("outreach", ("of", ANNA)), ("cap", (ANNA,))):
            lifetime = FAMILIES[family].lifetime_s
            assert lifetime is not None
            assert lifetime - 60 < await client.ttl(partition_key(family, partition, *rest)) <= lifetime


@pytest.mark.servers
async def test_lists_of_a_person_who_hears_from_us_for_years_do_not_grow(request: pytest.FixtureRequest) -> None:
    async with client_of("redis", request) as client:
        records = RedisRecords(client, partitions=PARTITIONS)
        for week in range(30):
            assert await records.write(sending(f"week {week}", at=NOW + week * 7 * DAY), before=None) == "written"
        partition = partition_of(ANNA.encode(), PARTITIONS)
        assert await client.zcard(partition_key("cap", partition, ANNA)) == 2
        assert await client.zcard(partition_key("outreach", partition, "of", ANNA)) == 13


@pytest.mark.servers
async def test_a_decision_that_cannot_be_read_is_an_error_and_no_absence(request: pytest.FixtureRequest) -> None:
    async with client_of("redis", request) as client:
        records = RedisRecords(client, partitions=PARTITIONS)
        decision = sending("a")
        await records.write(decision, before=None)
        for stored in (b"\xc1", b"\x92\x01\xa2\xff\xfe"):
            await client.set(partition_key("outreach", partition_of(ANNA.encode(), PARTITIONS), decision.id), stored)
            with pytest.raises(OutreachUnavailable):
                await records.find(decision.id)
            with pytest.raises(OutreachUnavailable):
                await records.decisions_of([ANNA])
