"""Records of a topic read once, by offset, for whoever compares the log with something else. Blocks."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.admin import BrokerSilentError
from streams.frame import Record

SILENT_S: Final = 30.0


class LogReader:
    """Reads one topic, committed records only."""

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

    def records(self, partition: int, *, start: int, end: int) -> list[Record]:
        """What the log holds of `[start, end)`, an `end` it reaches. BrokerSilentError when nothing comes for long."""
        place = TopicPartition(self._topic, partition)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        found: list[Record] = []
        at, heard = start, time.monotonic()
        while at < end:
            for batch in self._consumer.poll(timeout_ms=500).values():
                found += [Record(each.offset, each.timestamp, each.key, each.value) for each in batch]
            before, at = at, self._consumer.position(place)
            if at != before:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_S:
                raise BrokerSilentError(f"nothing was told of {self._topic}[{partition}] from {at} on")
        return [record for record in found if record.offset < end]


@contextmanager
def log_reader(brokers: Sequence[str], topic: str) -> Iterator[LogReader]:
    """A reader for as long as the block; BrokerSilentError for whatever the broker does not do."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=list(brokers),
            auto_offset_reset="none",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        with closing(consumer):
            yield LogReader(consumer, topic)
    except KafkaError as error:
        raise BrokerSilentError(f"the broker did not do as asked: {error}") from error
