"""What only Apache Kafka has: transactions, a log whose beginning goes away, members that keep their seat."""

import signal
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from streams.admin import broker_hints, ensure_topics, is_embedded, log_bounds, wait_for_broker
from tests.streams.workers import PARTITIONS, Worker, frames, fresh, handled, offsets, produce, wait_until


@pytest.fixture
def topic(apache_kafka: str) -> str:
    name = fresh("facts")
    wait_for_broker([apache_kafka])
    ensure_topics([apache_kafka], {name: PARTITIONS}, replication=1)
    return name


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def cut(kafka: str, topic: str, *, partition: int, before: int) -> None:
    """Delete the log's beginning, as retention does."""
    admin = KafkaAdminClient(bootstrap_servers=[kafka])
    try:
        admin.delete_records({TopicPartition(topic, partition): before})
    finally:
        admin.close()


async def transact(kafka: str, topic: str, *, records: int, commit: bool) -> None:
    """Write to partition 0 in one transaction."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=fresh("transaction"))
    await producer.start()
    try:
        await producer.begin_transaction()
        for number in range(records):
            await producer.send_and_wait(topic, b"%d" % number, partition=0)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def test_aborted_records_are_not_handed_over_and_the_checkpoint_moves_past_them(
    apache_kafka: str, topic: str, journal: Path
) -> None:
    with Worker(apache_kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        await transact(apache_kafka, topic, records=10, commit=True)
        wait_until(lambda: handled(journal, topic=topic) >= 10, what="the committed records")
        await transact(apache_kafka, topic, records=5, commit=False)
        end = log_bounds([apache_kafka], [topic])[topic, 0].end
        wait_until(lambda: frames(journal, topic=topic)[-1]["end"] == end, what="the checkpoint at the log's end")
        assert worker.stop() == 0
    assert offsets(journal, topic=topic, partition=0) == list(range(10))
    assert end == 17
    lines = frames(journal, topic=topic, partition=0)
    assert [line["start"] for line in lines] == [0, *[line["end"] for line in lines[:-1]]]


def test_a_log_that_no_longer_reaches_back_stops_that_partition_with_the_gap(
    apache_kafka: str, topic: str, journal: Path
) -> None:
    produce(apache_kafka, topic, [b"1"] * 400)
    cut(apache_kafka, topic, partition=2, before=60)
    journal.write_text(f'{{"topic": "{topic}", "partition": 2, "start": 0, "end": 40, "offsets": []}}\n')
    with Worker(apache_kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        wait_until(lambda: handled(journal, topic=topic) >= 300, what="the other partitions handled")
        wait_until(lambda: "the log begins at 60, the checkpoint is 40: 20 offsets are gone" in worker.log, what="gap")
        assert worker.stop() == 0
    assert offsets(journal, topic=topic, partition=2) == []


def test_a_reader_without_checkpoint_begins_where_the_log_does(apache_kafka: str, topic: str, journal: Path) -> None:
    produce(apache_kafka, topic, [b"1"] * 100, partition=2)
    cut(apache_kafka, topic, partition=2, before=60)
    with Worker(apache_kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        wait_until(lambda: handled(journal, topic=topic) >= 40, what="what the log still holds")
        assert worker.stop() == 0
    assert offsets(journal, topic=topic, partition=2) == list(range(60, 100))


def test_a_member_with_a_name_takes_its_partitions_again_after_kill_9(
    apache_kafka: str, topic: str, journal: Path
) -> None:
    group = fresh("app")
    for rounds in (1, 2):
        produce(apache_kafka, topic, [b"1"] * 200)
        with Worker(apache_kafka, group=group, journal=journal, topics=[topic], instance="worker-1") as worker:
            wait_until(lambda: handled(journal, topic=topic) >= 200 * rounds, what="a round")  # noqa: B023
            worker.stop(signal.SIGKILL)
    for partition in range(PARTITIONS):
        assert offsets(journal, topic=topic, partition=partition) == list(range(100))


def test_lag_tools_are_told_the_checkpoints(apache_kafka: str, topic: str, journal: Path) -> None:
    group = fresh("app")
    produce(apache_kafka, topic, [b"1"] * 200)
    with Worker(apache_kafka, group=group, journal=journal, topics=[topic]) as worker:
        wait_until(lambda: handled(journal, topic=topic) >= 200, what="all records")
        wait_until(lambda: broker_hints([apache_kafka], group=group).get((topic, 3)) == 50, what="the hint")
        assert worker.stop() == 0


async def test_a_record_bears_the_time_the_broker_took_it_and_not_its_sender_s(apache_kafka: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=apache_kafka) as producer:
        taken = await producer.send_and_wait(topic, b"0", partition=0, timestamp_ms=1000)
    assert abs(taken.timestamp / 1000 - time.time()) < 600


def test_its_gaps_are_final(apache_kafka: str) -> None:
    assert not is_embedded(wait_for_broker([apache_kafka]))
