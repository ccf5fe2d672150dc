"""Reading topics back whole, with a client of the tests' own."""

from collections.abc import Collection
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from tests.chaos.commits import Partition
from tests.waiting import until


class Read(NamedTuple):
    """One record as it stands on a topic; the time is the broker's, in ms."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


Records = dict[Partition, list[Read]]


def read_topics(brokers: list[str], topics: Collection[str]) -> Records:
    """Every record of some topics, by partition in offset order."""
    consumer = _consumer(brokers)
    try:
        places = _assigned(consumer, topics)
        found: Records = {Partition(*place): [] for place in places}

        def is_read() -> bool:
            for place, records in consumer.poll(timeout_ms=200, max_records=5_000).items():
                found[Partition(*place)] += [Read(r.offset, r.timestamp, r.key, r.value) for r in records]
            return all(_at_end(consumer, place) for place in places)

        until(is_read, within_s=1800, what="the topics read to their ends")
        return found
    finally:
        consumer.close()


def ends_of(brokers: list[str], topics: Collection[str]) -> dict[Partition, int]:
    """The next offset of every partition, as fetches tell it: the embedded broker's own word for it is too low."""
    consumer = _consumer(brokers)
    try:
        places = _assigned(consumer, topics)
        for place, last in consumer.end_offsets(places).items():
            consumer.seek(place, max(0, last - 1))

        def are_known() -> bool:
            consumer.poll(timeout_ms=200)
            return all(consumer.highwater(place) is not None for place in places)

        until(are_known, within_s=60, what="the ends of the topics")
        return {Partition(*place): int(consumer.highwater(place)) for place in places}
    finally:
        consumer.close()


def _assigned(consumer: Any, topics: Collection[str]) -> list[TopicPartition]:
    places = [TopicPartition(topic, at) for topic in topics for at in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    return places


def _at_end(consumer: Any, place: TopicPartition) -> bool:
    end = consumer.highwater(place)
    return end is not None and consumer.position(place) >= end


def _consumer(brokers: list[str]) -> Any:
    return KafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        enable_auto_commit=False,
        metrics_enabled=False,
        fetch_max_wait_ms=20,  # the embedded broker answers at its end, however much there is
        max_partition_fetch_bytes=8 * 2**20,
    )
