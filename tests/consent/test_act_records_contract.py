"""What every place for act records keeps to, on memory, a single store and a cluster."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from consent.act_records import ActRecord, ActRecords, MemoryActRecords
from consent.holds import ConsentStoreUnavailable
from consent.redis_act_records import RedisActRecords
from events.keys import FAMILIES, partition_key
from tests.builders import NOW
from tests.consent.stores import client_of, kinds

RECORD = ActRecord(
    event_key=b"act-one!",
    digest=b"said",
    partition=3,
    restricts=False,
    made_at=NOW,
    facts=(b"a fact", b"another"),
)


@pytest.fixture(params=kinds())
async def records(request: pytest.FixtureRequest) -> AsyncIterator[ActRecords]:
    if request.param == "memory":
        yield MemoryActRecords()
        return
    async with client_of(request.param, request) as client:
        yield RedisActRecords(client)


async def test_the_first_record_of_an_act_stands(records: ActRecords) -> None:
    assert await records.begin(RECORD) is None
    assert await records.begin(replace(RECORD, digest=b"more", facts=())) == RECORD
    assert await records.pending(3) == [RECORD]
    assert await records.pending(4) == []


async def test_a_finished_act_is_known_and_no_longer_pending(records: ActRecords) -> None:
    await records.begin(RECORD)
    await records.finish(RECORD)
    await records.finish(RECORD)
    assert await records.pending(3) == []
    assert await records.begin(RECORD) == replace(RECORD, done=True)
    assert await records.pending(3) == []


async def test_pending_records_come_oldest_first(records: ActRecords) -> None:
    older = replace(RECORD, event_key=b"act-two!", made_at=NOW - 1)
    for record in (RECORD, older):
        await records.begin(record)
    assert await records.pending(3) == [older, RECORD]


@pytest.mark.servers
async def test_only_a_finished_record_has_an_end(request: pytest.FixtureRequest) -> None:
    key = partition_key("act", 3, RECORD.event_key.hex())
    async with client_of("redis", request) as client:
        records = RedisActRecords(client)
        await records.begin(RECORD)
        assert await client.ttl(key) == -1
        await records.finish(RECORD)
        assert 0 < await client.ttl(key) <= (FAMILIES["act"].lifetime_s or 0)


@pytest.mark.servers
async def test_a_record_that_cannot_be_read_is_nobody_s_success_and_stops_no_other(
    request: pytest.FixtureRequest,
) -> None:
    other = replace(RECORD, event_key=b"act-two!")
    async with client_of("redis", request) as client:
        records = RedisActRecords(client)
        for record in (RECORD, other):
            await records.begin(record)
        await client.set(partition_key("act", 3, RECORD.event_key.hex()), "not a record")
        with pytest.raises(ConsentStoreUnavailable):
            await records.begin(RECORD)
        assert await records.pending(3) == [other]
