"""What the fetching client holds of a partition: its state, and its records as ours."""

from collections.abc import Sequence
from typing import Any

import aiokafka
from aiokafka.structs import TopicPartition

from streams.frame import Record


def state_of(consumer: aiokafka.AIOKafkaConsumer, key: tuple[str, int]) -> Any:
    """The client's state of one partition; None while it is not assigned."""
    subscription = consumer._subscription.subscription  # noqa: SLF001
    assignment = None if subscription is None else subscription.assignment
    if assignment is None or not assignment.active:
        return None
    return assignment.state_value(TopicPartition(*key))


def plain(records: Sequence[Any]) -> tuple[Record, ...]:
    """The client's records as values of ours."""
    return tuple(Record(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records)
