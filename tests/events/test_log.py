"""What everybody may expect of the log, on Kafka's protocol and in memory."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from embedded.ports import LOOPBACK, free_port
from events.admission import Admitted
from events.fact import decode_fact
from events.log import EventLog, KafkaLog, LogRefused, LogUnavailable
from events.memory_log import MemoryLog
from events.position import Position
from tests.builders import PARTITIONS, admitted, linked, purchased
from tests.servers import embedded_broker
from tests.waiting import HANGS_S

EPOCH = 3
PATIENT = {"request_timeout_ms": 600_000}
"""A client that would wait by itself for longer than any test: what ends sooner was ended by the log."""


Standing = tuple[int, bytes | None, bytes | None]
"""Offset, key and value of a record."""


class World(Protocol):
    log: EventLog
    topic: str
    other: str

    async def read(self, topic: str, partition: int, *, count: int) -> list[Standing]: ...

    async def stop(self) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.topic, self.other = "facts", "decisions"
        self.memory = MemoryLog(topic=self.topic, partitions=PARTITIONS, epoch=EPOCH)
        self.log: EventLog = self.memory

    async def read(self, topic: str, partition: int, *, count: int) -> list[Standing]:
        return [(record.offset, record.key, record.value) for record in self.memory.records(topic, partition)]

    async def stop(self) -> None:
        await self.memory.stop()


class OnKafka:
    def __init__(self, brokers: str) -> None:
        self.brokers = brokers
        self.topic, self.other = f"facts-{uuid.uuid4().hex}", f"decisions-{uuid.uuid4().hex}"
        self.kafka = KafkaLog(brokers=brokers, topic=self.topic, epoch=EPOCH)
        self.log: EventLog = self.kafka

    async def create_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (self.topic, self.other)])
        finally:
            await admin.close()

    async def read(self, topic: str, partition: int, *, count: int) -> list[Standing]:
        """At least so many records, waited for, and what else has come by then."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.brokers)
        await consumer.start()
        try:
            here = TopicPartition(topic, partition)
            consumer.assign([here])
            await consumer.seek_to_beginning(here)
            records: list[Any] = []
            async with asyncio.timeout(HANGS_S):
                while True:
                    more = (await consumer.getmany(timeout_ms=500)).get(here, [])
                    if not more and len(records) >= count:
                        break
                    records += more
        finally:
            await consumer.stop()
        return [(record.offset, record.key, record.value) for record in records]

    async def stop(self) -> None:
        await self.kafka.stop()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.servers)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        memory = InMemory()
        await memory.memory.start()
        yield memory
        return
    here = OnKafka(request.getfixturevalue("kafka"))
    await here.create_topics()
    await here.kafka.start()
    yield here
    await here.kafka.stop()


def some_facts(count: int) -> Sequence[Admitted]:
    return [admitted(purchased(f"order-{number}", identity=f"app:{number % 5}")) for number in range(count)]


async def test_appended_facts_stand_at_the_positions_that_were_answered(world: World) -> None:
    facts = some_facts(40)
    positions = await world.log.append(facts)
    assert len(positions) == 40
    for partition in {position.partition for position in positions}:
        count = sum(position.partition == partition for position in positions)
        found = await world.read(world.topic, partition, count=count)
        standing = {offset: (key, value) for offset, key, value in found}
        for item, position in zip(facts, positions, strict=True):
            if position.partition == partition:
                key, value = standing[position.offset]
                assert (position.epoch, position.partition) == (EPOCH, item.partition)
                assert key == item.fact.identity.encode()
                assert decode_fact(value) == item.fact


async def test_facts_of_one_identity_keep_their_order(world: World) -> None:
    positions = [(await world.log.append([item]))[0] for item in [*some_facts(1)] * 3]
    assert [position.offset for position in positions] == [0, 1, 2]
    assert len({position.partition for position in positions}) == 1


async def test_the_halves_of_a_link_go_to_their_own_partitions(world: World) -> None:
    halves = [admitted(half) for half in linked("app:1", "app:2")]
    positions = await world.log.append(halves)
    assert [position.partition for position in positions] == [half.partition for half in halves]


async def test_nothing_to_append_is_no_error(world: World) -> None:
    assert await world.log.append([]) == []


async def test_a_record_is_published_to_the_named_partition_of_another_topic(world: World) -> None:
    offset = await world.log.publish(topic=world.other, key=b"app:x", value=b"{}", partition=5)
    assert await world.read(world.other, 5, count=1) == [(offset, b"app:x", b"{}")]
    assert await world.read(world.other, 4, count=0) == []


async def test_a_record_that_cannot_be_written_is_named_and_the_others_are_written(world: World) -> None:
    good = admitted(purchased())
    lost = Admitted(fact=purchased(), partition=PARTITIONS + 3)
    with pytest.raises(LogRefused) as raised:
        await world.log.append([good, lost, good])
    assert raised.value.failed == {1: "no such partition"}
    assert [offset for offset, _, _ in await world.read(world.topic, good.partition, count=2)] == [0, 1]


async def test_a_record_that_is_too_large_is_refused(world: World) -> None:
    with pytest.raises(LogRefused) as raised:
        await world.log.publish(topic=world.other, key=None, value=b"x" * (2 * 1024 * 1024), partition=0)
    assert raised.value.failed == {0: "too large"}


async def test_a_stopped_log_is_unavailable(world: World) -> None:
    await world.stop()
    with pytest.raises(LogUnavailable) as raised:
        await world.log.append(some_facts(2))
    assert set(raised.value.failed) == {0, 1}


async def test_a_broker_that_does_not_answer_makes_the_log_unavailable() -> None:
    log = KafkaLog(brokers=f"{LOOPBACK}:{free_port()}", topic="facts", epoch=1, timeout_s=1.0)
    with pytest.raises(LogUnavailable, match="does not answer"):
        await log.start()
    await log.stop()


@pytest.mark.servers
async def test_a_broker_that_goes_away_ends_in_a_named_error_and_not_in_waiting(tmp_path: Path) -> None:
    with embedded_broker(tmp_path) as address:
        here = OnKafka(address)
        here.kafka = KafkaLog(brokers=address, topic=here.topic, epoch=EPOCH, timeout_s=8.0, client=PATIENT)
        await here.create_topics()
        await here.kafka.start()
        await here.kafka.append(some_facts(10))
    async with asyncio.timeout(HANGS_S):
        with pytest.raises(LogUnavailable) as raised:
            await here.kafka.append(some_facts(10))
        await here.kafka.stop()
    assert set(raised.value.failed) == set(range(10))


async def test_an_error_of_the_log_tells_nothing_of_the_record(world: World) -> None:
    with pytest.raises(LogRefused) as raised:
        await world.log.append([Admitted(fact=purchased("secret-order"), partition=99)])
    assert "secret" not in str(raised.value)


def test_a_position_reads_epoch_partition_offset() -> None:
    assert str(Position(3, 5, 42)) == "3.5.42"
