"""What the embedded broker lacks of Apache Kafka, so that the page about both stays true."""

from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewPartitions
from kafka.errors import KafkaError as AdminRefused

from streams.admin import ensure_topics, is_embedded, log_bounds, wait_for_broker
from tests import servers
from tests.streams.workers import PARTITIONS, fresh
from tests.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.embedded_broker(tmp_path_factory.mktemp("embedded")) as address:
        wait_for_broker([address])
        yield address


@pytest.fixture
def topic(broker: str) -> str:
    name = fresh("facts")
    ensure_topics([broker], {name: PARTITIONS}, replication=1)
    return name


async def test_it_begins_no_transaction_of_aiokafka(broker: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, transactional_id=fresh("transaction"))
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


def test_it_adds_no_partitions(broker: str, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=[broker])
    try:
        with pytest.raises(AdminRefused):
            admin.create_partitions({topic: NewPartitions(total_count=PARTITIONS + 2)})
    finally:
        admin.close()


async def test_it_keeps_the_sender_s_time(broker: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait(topic, b"0", partition=0, timestamp_ms=1000)
    consumer = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        found: list[int] = []

        def is_read() -> bool:
            found.extend(record.timestamp for records in consumer.poll(timeout_ms=500).values() for record in records)
            return bool(found)

        until(is_read, what="the record")
        assert found == [1000]
    finally:
        consumer.close()


async def test_it_tells_too_low_an_end_of_a_log_written_in_batches(broker: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        batch = producer.create_batch()
        for _ in range(10):
            batch.append(key=None, value=b"1", timestamp=None)
        await (await producer.send_batch(batch, topic, partition=0))
    assert log_bounds([broker], [topic])[topic, 0].end == 1


async def test_it_makes_a_topic_that_is_merely_asked_for_with_four_partitions(broker: str) -> None:
    name = fresh("asked")
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        assert len(await producer.partitions_for(name)) == 4
    assert len(log_bounds([broker], [name])) == 4


def test_it_says_that_it_is_the_embedded_one(broker: str) -> None:
    assert is_embedded(wait_for_broker([broker]))
