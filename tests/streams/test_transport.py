"""The batch transport against a broker that really runs, with workers as processes."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.admin import ensure_topics, wait_for_broker
from tests import servers
from tests.streams.workers import PARTITIONS, Worker, frames, fresh, handled, offsets, produce, wait_until


@pytest.fixture
def topic(kafka: str) -> str:
    name = fresh("facts")
    ensure_topics([kafka], {name: PARTITIONS}, replication=1)
    return name


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def numbered(count: int, *, start: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


def test_every_record_is_handed_over_once_and_in_order(kafka: str, topic: str, journal: Path) -> None:
    produce(kafka, topic, numbered(1000))
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        wait_until(lambda: handled(journal, topic=topic) >= 1000, what="1000 records handled")
        produce(kafka, topic, numbered(400))
        wait_until(lambda: handled(journal, topic=topic) >= 1400, what="those of later too")
        assert worker.stop() == 0
    for partition in range(PARTITIONS):
        assert offsets(journal, topic=topic, partition=partition) == list(range(350))


def test_nothing_is_left_out_while_several_append_at_once(kafka: str, topic: str, journal: Path) -> None:
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker, ThreadPoolExecutor(4) as senders:
        for number in range(4):
            senders.submit(append_in_small_batches, kafka, topic, times=100, first=number * 1000)
        wait_until(lambda: handled(journal, topic=topic) >= 4000, what="4000 records handled")
        assert worker.stop() == 0
    assert offsets(journal, topic=topic, partition=1) == list(range(4000))


def append_in_small_batches(kafka: str, topic: str, *, times: int, first: int) -> None:
    producer = KafkaProducer(bootstrap_servers=[kafka], acks="all", linger_ms=0)
    try:
        for at in range(times):
            for value in numbered(10, start=first + at * 10):
                producer.send(topic, value=value, partition=1)
            producer.flush(timeout=60)
    finally:
        producer.close()


def test_frames_of_a_partition_join_without_gap_or_overlap(kafka: str, topic: str, journal: Path) -> None:
    produce(kafka, topic, numbered(300), partition=2)
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]):
        wait_until(lambda: handled(journal, topic=topic) >= 300, what="300 records handled")
    lines = frames(journal, topic=topic, partition=2)
    assert len(lines) > 1
    assert [line["start"] for line in lines] == [0, *[line["end"] for line in lines[:-1]]]


def test_a_worker_that_comes_back_goes_on_at_the_checkpoint(kafka: str, topic: str, journal: Path) -> None:
    group = fresh("app")
    produce(kafka, topic, numbered(200))
    with Worker(kafka, group=group, journal=journal, topics=[topic]) as worker:
        wait_until(lambda: handled(journal, topic=topic) >= 200, what="the first 200")
        assert worker.stop() == 0
    produce(kafka, topic, numbered(200))
    with Worker(kafka, group=group, journal=journal, topics=[topic]):
        wait_until(lambda: handled(journal, topic=topic) >= 400, what="the next 200")
    for partition in range(PARTITIONS):
        assert offsets(journal, topic=topic, partition=partition) == list(range(100))


def test_the_store_decides_where_to_go_on_whatever_the_broker_was_told(kafka: str, topic: str, journal: Path) -> None:
    group = fresh("app")
    produce(kafka, topic, numbered(400))
    with Worker(kafka, group=group, journal=journal, topics=[topic]) as worker:
        wait_until(lambda: handled(journal, topic=topic) >= 400, what="all 400")
        assert worker.stop() == 0
    journal.unlink()
    with Worker(kafka, group=group, journal=journal, topics=[topic]):
        wait_until(lambda: handled(journal, topic=topic) >= 400, what="all 400 again")
    assert offsets(journal, topic=topic, partition=0) == list(range(100))


def test_another_worker_takes_over_after_kill_9(kafka: str, topic: str, journal: Path) -> None:
    group = fresh("app")
    produce(kafka, topic, numbered(2000))
    with Worker(kafka, group=group, journal=journal, topics=[topic]) as killed:
        wait_until(lambda: handled(journal, topic=topic) >= 100, what="a beginning")
        killed.stop(signal.SIGKILL)
    produce(kafka, topic, numbered(400))
    with Worker(kafka, group=group, journal=journal, topics=[topic]):
        wait_until(lambda: handled(journal, topic=topic) >= 2400, what="the rest by another worker")
    for partition in range(PARTITIONS):
        assert offsets(journal, topic=topic, partition=partition) == list(range(600))


def test_two_workers_share_the_partitions_and_hand_over_nothing_twice(kafka: str, topic: str, journal: Path) -> None:
    group = fresh("app")
    produce(kafka, topic, numbered(400))
    with Worker(kafka, group=group, journal=journal, topics=[topic]) as first:
        wait_until(lambda: handled(journal, topic=topic) >= 400, what="the first worker at work")
        with Worker(kafka, group=group, journal=journal, topics=[topic]) as second:
            wait_until(lambda: "Worker ready" in second.log, what="the second worker in the group")
            produce(kafka, topic, numbered(400))
            wait_until(lambda: handled(journal, topic=topic) >= 800, what="both at work")
            assert first.stop() == 0
            produce(kafka, topic, numbered(400))
            wait_until(lambda: handled(journal, topic=topic) >= 1200, what="the second alone")
    for partition in range(PARTITIONS):
        assert offsets(journal, topic=topic, partition=partition) == list(range(300))


def test_a_seek_is_honoured_and_what_was_queued_beyond_it_dropped(kafka: str, topic: str, journal: Path) -> None:
    produce(kafka, topic, [*numbered(60), b"seek once", *numbered(140)], partition=1)
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]):
        wait_until(lambda: 200 in offsets(journal, topic=topic, partition=1), what="the last record")
    assert offsets(journal, topic=topic, partition=1) == list(range(201))
    assert [line["start"] for line in frames(journal, topic=topic, partition=1)][:4] == [0, 10, 60, 110]


def test_a_handler_that_raises_is_given_the_same_frame_again(kafka: str, topic: str, journal: Path) -> None:
    produce(kafka, topic, [*numbered(70), b"raise once", *numbered(30)], partition=0)
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        wait_until(lambda: handled(journal, topic=topic) >= 101, what="all 101")
        assert worker.stop() == 0
    assert offsets(journal, topic=topic, partition=0) == list(range(101))
    assert "ValueError" in worker.log
    assert "someone's data" not in worker.log


def test_a_handler_that_keeps_raising_stops_the_worker_before_the_next_frame(
    kafka: str, topic: str, journal: Path
) -> None:
    produce(kafka, topic, [*numbered(50), b"always raise", *numbered(149)], partition=0)
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        assert worker.process.wait(timeout=60) == 1
    assert offsets(journal, topic=topic, partition=0) == list(range(50))
    assert "facts" in worker.log
    assert "someone's data" not in worker.log


def test_a_stopped_partition_does_not_stop_the_others(kafka: str, topic: str, journal: Path) -> None:
    produce(kafka, topic, [*numbered(50), b"stop", *numbered(149)], partition=3)
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        wait_until(lambda: "asked to at 50" in worker.log, what="the partition stopped")
        for partition in (0, 1, 2):
            produce(kafka, topic, numbered(100), partition=partition)
        wait_until(lambda: handled(journal, topic=topic) >= 350, what="the other partitions handled")
        assert worker.stop() == 0
    assert offsets(journal, topic=topic, partition=3) == list(range(50))


def test_two_topics_ride_in_one_app_each_with_its_own_checkpoints(kafka: str, topic: str, journal: Path) -> None:
    other, group = fresh("intake"), fresh("app")
    ensure_topics([kafka], {other: 8}, replication=1)
    for rounds in (1, 2):
        produce(kafka, topic, numbered(200))
        produce(kafka, other, numbered(100), partition=7)
        with Worker(kafka, group=group, journal=journal, topics=[topic, other]) as worker:
            wait_until(lambda: handled(journal, topic=topic) >= 200 * rounds, what="one topic")  # noqa: B023
            wait_until(lambda: handled(journal, topic=other) >= 100 * rounds, what="the other topic")  # noqa: B023
            assert worker.stop() == 0
    assert offsets(journal, topic=topic, partition=0) == list(range(100))
    assert offsets(journal, topic=other, partition=7) == list(range(200))


def test_sigterm_lets_the_frame_in_hand_finish_and_begins_no_other(kafka: str, topic: str, journal: Path) -> None:
    produce(kafka, topic, [b"slow", *numbered(149)], partition=0)
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        wait_until(Path(f"{journal}.slow").exists, what="a frame in hand")
        worker.process.send_signal(signal.SIGTERM)
        Path(f"{journal}.go").touch()
        assert worker.process.wait(timeout=60) == 0
    lines = frames(journal, topic=topic, partition=0)
    assert len(lines) == 1
    assert lines[0]["start"] == 0


@pytest.mark.parametrize("trouble", ["checkpoints", "companion"])
def test_a_worker_that_lost_what_it_needs_ends_as_failed(kafka: str, topic: str, journal: Path, trouble: str) -> None:
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic], trouble=trouble) as worker:
        assert worker.process.wait(timeout=60) == 1
    assert "someone's data" not in worker.log


@pytest.mark.thorough
def test_a_worker_whose_broker_is_gone_still_stops_when_asked(tmp_path: Path, journal: Path) -> None:
    with servers.embedded_broker(tmp_path) as address:
        wait_for_broker([address])
        ensure_topics([address], {"facts": PARTITIONS}, replication=1)
        produce(address, "facts", numbered(40))
        worker = Worker(address, group=fresh("app"), journal=journal, topics=["facts"])
        wait_until(lambda: handled(journal, topic="facts") >= 40, what="a worker at work")
    with worker:
        wait_until(lambda: "Unable connect" in worker.log, what="the worker noticing")
        assert worker.stop() == 0


def test_a_position_beyond_the_log_stops_that_partition_with_the_gap(kafka: str, topic: str, journal: Path) -> None:
    produce(kafka, topic, numbered(40))
    journal.write_text(f'{{"topic": "{topic}", "partition": 1, "start": 0, "end": 500, "offsets": []}}\n')
    with Worker(kafka, group=fresh("app"), journal=journal, topics=[topic]) as worker:
        wait_until(lambda: handled(journal, topic=topic) >= 30, what="the other partitions handled")
        wait_until(lambda: "the checkpoint is 500" in worker.log, what="the gap reported")
        assert worker.stop() == 0
    assert offsets(journal, topic=topic, partition=1) == []
