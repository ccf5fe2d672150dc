"""Records put on a topic before anything is measured."""

from collections.abc import Sequence
from typing import Any, Literal

from confluent_kafka import Producer

from benchmarks.workload import Message

Form = Literal["fact", "json"]
_TIMEOUT_S = 60.0


class NotProduced(Exception):
    """The broker did not take every record."""


def producer_of(kafka: str, *, linger_ms: float) -> Producer:
    """A producer that is acknowledged by all replicas."""
    return Producer(
        {
            "bootstrap.servers": kafka,
            "acks": "all",
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": 1_000_000,
        }
    )


def produce(kafka: str, topic: str, messages: Sequence[Message], *, form: Form) -> None:
    """Put the records on the topic, in order; NotProduced unless all are acknowledged."""
    producer = producer_of(kafka, linger_ms=50)
    failed: list[str] = []

    def told(error: Any, _record: Any) -> None:
        if error is not None:
            failed.append(str(error))

    for message in messages:
        value = message.fact if form == "fact" else message.json
        producer.produce(topic, key=message.key, value=value, partition=message.partition, on_delivery=told)
        producer.poll(0)
    if producer.flush(_TIMEOUT_S) or failed:
        raise NotProduced(f"{topic}: {failed[:1] or 'not all acknowledged in time'}")
