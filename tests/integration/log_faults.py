"""What can be done to a topic of Apache Kafka behind its readers' backs."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions

from commands.settings import Settings
from streams.admin import ensure_topics, log_bounds, topic_ids
from tests.installation import Installation, remove_topics

Events = Sequence[Mapping[str, Any]]


@contextmanager
def administration(settings: Settings) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=settings.brokers)
    try:
        yield admin
    finally:
        admin.close()


def cut(settings: Settings, topic: str, *, partition: int, before: int) -> None:
    """Delete the log's beginning, as retention does."""
    with administration(settings) as admin:
        admin.delete_records({TopicPartition(topic, partition): before})


def make_anew(settings: Settings, topic: str) -> None:
    """Delete a topic and make it again: the same name, another log."""
    former = topic_ids(settings.brokers, [topic])[topic]
    remove_topics(settings, [topic])
    ensure_topics(settings.brokers, {topic: settings.partitions}, replication=1)
    assert topic_ids(settings.brokers, [topic])[topic] != former


def add_partitions(settings: Settings, topic: str, *, total: int) -> None:
    with administration(settings) as admin:
        admin.create_partitions({topic: NewPartitions(total_count=total)})


def compact(settings: Settings, topic: str) -> None:
    """Keep the last record of each key only, and as soon as the broker gets to it."""
    configs = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.001",
        "max.compaction.lag.ms": "100",
        "segment.ms": "100",
        "delete.retention.ms": "0",
    }
    with administration(settings) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])


def records(settings: Settings, topic: str) -> int:
    """How many committed records a topic holds now, read one by one."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.brokers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    try:
        bounds = log_bounds(settings.brokers, [topic])
        ends = {TopicPartition(*at): bound.end for at, bound in bounds.items() if bound.end > bound.first}
        consumer.assign(list(ends))
        found = 0
        while any(consumer.position(at) < end for at, end in ends.items()):
            found += sum(map(len, consumer.poll(timeout_ms=200).values()))
        return found
    finally:
        consumer.close()


async def transact(made: Installation, events: Events, *, commit: bool) -> None:
    """Send events to the open intake in one transaction of a producer that is not ours."""
    producer = AIOKafkaProducer(
        bootstrap_servers=made.settings.kafka, transactional_id=f"test-{uuid.uuid4().hex}", acks="all"
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        for event in events:
            key, value = str(event["subject"]).encode(), json.dumps(event).encode()
            await producer.send_and_wait(made.settings.intake_topic(), value, key=key)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()
