"""Reading a topic of a broker that really runs. A retry may write a record twice, so no test counts records."""

from kafka import KafkaConsumer, TopicPartition

from tests.waiting import until

Told = tuple[bytes, bytes]


def distinct_records(kafka: str, topic: str, *, partitions: int, count: int) -> set[Told]:
    """Key and value of all records, once there are so many different ones; whatever else stands there by then too."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    consumer = KafkaConsumer(bootstrap_servers=[kafka], group_id=None, enable_auto_commit=False)
    found: set[Told] = set()
    try:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)

        def read() -> bool:
            for batch in consumer.poll(timeout_ms=200).values():
                found.update((record.key, record.value) for record in batch)
            return len(found) >= count

        until(read, what=f"{count} different records")
        read()
    finally:
        consumer.close()
    return found
