"""Topics on a broker that really runs."""

from pathlib import Path

import pytest

from embedded.ports import LOOPBACK, free_port
from streams.admin import (
    BrokerSilentError,
    TopicDiffersError,
    TopicMissingError,
    broker_hints,
    ensure_topics,
    log_bounds,
    topic_ids,
    wait_for_broker,
)
from tests import servers
from tests.streams.workers import fresh, produce


def test_missing_topics_are_made_and_those_there_left_alone(kafka: str) -> None:
    facts, intake = fresh("facts"), fresh("intake")
    assert ensure_topics([kafka], {facts: 4}, replication=1) == [facts]
    assert ensure_topics([kafka], {facts: 4, intake: 8}, replication=1) == [intake]
    assert len([key for key in log_bounds([kafka], [facts, intake]) if key[0] == intake]) == 8


def test_another_number_of_partitions_is_refused_and_nothing_made(kafka: str) -> None:
    facts, intake = fresh("facts"), fresh("intake")
    ensure_topics([kafka], {facts: 4}, replication=1)
    with pytest.raises(TopicDiffersError, match=f"{facts} has 4 partitions, configured are 8"):
        ensure_topics([kafka], {facts: 8, intake: 8}, replication=1)
    assert log_bounds([kafka], [intake]) == {}


def test_a_topic_keeps_its_id_and_one_of_the_same_name_on_a_broker_started_anew_has_another(tmp_path: Path) -> None:
    seen = []
    for run in ("first", "second"):
        with servers.embedded_broker(tmp_path / run) as address:
            wait_for_broker([address])
            ensure_topics([address], {"facts": 4}, replication=1)
            assert topic_ids([address], ["facts"]) == topic_ids([address], ["facts"])
            seen.append(topic_ids([address], ["facts"])["facts"])
    assert seen[0] != seen[1]


def test_a_topic_that_is_not_there_has_no_id(kafka: str) -> None:
    with pytest.raises(TopicMissingError, match="nowhere"):
        topic_ids([kafka], ["nowhere"])


def test_the_bounds_of_a_log_grow_with_it(kafka: str) -> None:
    facts = fresh("facts")
    ensure_topics([kafka], {facts: 4}, replication=1)
    assert log_bounds([kafka], [facts])[facts, 1] == (0, 0)
    produce(kafka, facts, [b"1"], partition=1)
    assert log_bounds([kafka], [facts])[facts, 1] == (0, 1)


def test_a_group_that_never_was_has_told_the_broker_nothing(kafka: str) -> None:
    assert broker_hints([kafka], group=fresh("app")) == {}


def test_a_broker_that_does_not_answer_is_named() -> None:
    nowhere = f"{LOOPBACK}:{free_port()}"
    with pytest.raises(BrokerSilentError, match=f"no broker answered at {nowhere}"):
        wait_for_broker([nowhere], within_s=0.2)
