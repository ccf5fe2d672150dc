"""`rapport replay` on a broker that really runs."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from typer.testing import CliRunner, Result

from commands.replay import app
from events.partitioning import partition_of
from streams.admin import TopicMissingError, ensure_topics, topic_ids
from tests.builders import event
from tests.servers import ROOT
from tests.streams.workers import fresh
from tests.waiting import until

PARTITIONS = 4


@pytest.fixture
def topic(kafka: str) -> str:
    name = fresh("replayed")
    ensure_topics([kafka], {name: PARTITIONS}, replication=1)
    return name


def visits(*numbers: int) -> bytes:
    made = (event("service.visited", subject=f"app:{n % 7}", event_id=f"visit-{n}", place="shop") for n in numbers)
    return b"".join(json.dumps(each).encode() + b"\n" for each in made)


def replay(kafka: str, *words: object, data: Path) -> Result:
    return CliRunner().invoke(app, [*map(str, words), "--kafka", kafka, "--data", str(data)])


def records(kafka: str, topic: str, *, count: int) -> list[tuple[int, bytes, bytes]]:
    """Partition, key and value of all records; fails when there are not `count` of them."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = KafkaConsumer(bootstrap_servers=[kafka], group_id=None, enable_auto_commit=False)
    found: list[tuple[int, bytes, bytes]] = []
    try:
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)

        def read() -> bool:
            for batch in consumer.poll(timeout_ms=200).values():
                found.extend((record.partition, record.key, record.value) for record in batch)
            return len(found) >= count

        until(read, what=f"{count} records")
        assert not consumer.poll(timeout_ms=500)
    finally:
        consumer.close()
    assert len(found) == count
    return found


def test_a_file_is_sent_as_it_stands_and_a_second_start_sends_only_what_was_added(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "visits.jsonl"
    file.write_bytes(visits(*range(100)))
    assert replay(kafka, file, "--topic", topic, data=tmp_path).exit_code == 0
    found = records(kafka, topic, count=100)
    assert {value for _, _, value in found} == set(visits(*range(100)).splitlines())
    assert all(partition == partition_of(key, PARTITIONS) for partition, key, _ in found)
    assert all(json.loads(value)["subject"].encode() == key for _, key, value in found)

    file.write_bytes(visits(*range(103)))
    second = replay(kafka, "file", file, "--topic", topic, "--json", data=tmp_path)
    assert json.loads(second.stdout)["sent"] == 3
    records(kafka, topic, count=103)

    assert replay(kafka, file, "--topic", topic, "--again", data=tmp_path).exit_code == 0
    records(kafka, topic, count=206)


def test_a_share_of_the_events_arrives_twice_under_new_offsets(kafka: str, topic: str, tmp_path: Path) -> None:
    file = tmp_path / "visits.jsonl"
    file.write_bytes(visits(*range(200)))
    answer = replay(kafka, file, "--topic", topic, "--repeat-share", "0.2", "--json", data=tmp_path)
    summary = json.loads(answer.stdout)
    assert summary["repeats"] > 20
    found = records(kafka, topic, count=200 + summary["repeats"])
    assert len({value for _, _, value in found}) == 200


def test_what_was_refused_is_told_with_its_lines_and_the_rest_is_sent(kafka: str, topic: str, tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(b"{\n" + visits(1) + b'{"secret": "Anna"}\n')
    answer = replay(kafka, file, "--topic", topic, data=tmp_path)
    assert answer.exit_code == 1
    assert "not_json" in answer.stdout
    assert "not_an_event" in answer.stdout
    assert "Anna" not in answer.output
    records(kafka, topic, count=1)


def test_a_topic_that_is_not_there_is_named_and_not_made(kafka: str, tmp_path: Path) -> None:
    file, missing = tmp_path / "visits.jsonl", fresh("missing")
    file.write_bytes(visits(1))
    answer = replay(kafka, file, "--topic", missing, data=tmp_path)
    assert answer.exit_code == 3
    assert missing in answer.stderr
    with pytest.raises(TopicMissingError):
        topic_ids([kafka], [missing])


def test_an_input_that_is_not_there_is_named(kafka: str, topic: str, tmp_path: Path) -> None:
    answer = replay(kafka, "olist", tmp_path, "--topic", topic, data=tmp_path)
    assert answer.exit_code == 2
    assert "customers.csv.gz" in answer.stderr
    assert replay(kafka, tmp_path / "none.jsonl", "--topic", topic, data=tmp_path).exit_code == 2


def test_a_purpose_that_does_not_exist_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["olist", str(tmp_path), "--grant", "profile.build,no.such"])
    assert answer.exit_code == 2
    assert "no.such" in answer.stderr


def test_an_interrupted_replay_goes_on_where_it_ended_and_nothing_is_lost_or_doubled(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    file, state = tmp_path / "visits.jsonl", tmp_path / "state.json"
    file.write_bytes(visits(*range(1000)))
    argv = [sys.executable, "-c", "from commands.replay import app; app()", str(file), "--kafka", kafka]
    argv += ["--topic", topic, "--state", str(state), "--data", str(tmp_path), "--rate", "20", "--json"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until(state.exists, what="a place kept")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    reached = json.loads(output)["acknowledged"]
    assert 0 < reached < 1000
    assert json.loads(state.read_bytes())["acknowledged"] == reached
    records(kafka, topic, count=reached)

    rest = replay(kafka, file, "--topic", topic, "--state", state, data=tmp_path)
    assert rest.exit_code == 0
    found = records(kafka, topic, count=1000)
    assert len({value for _, _, value in found}) == 1000
