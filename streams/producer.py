"""The replay's producer: sends to an intake topic and knows up to where everything is acknowledged."""

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from events.partitioning import partition_of
from streams.admin import BrokerSilentError, TopicMissingError, topic_ids, wait_for_broker

PENDING_MAX: Final = 20_000
"""Records on their way at most; beyond it `send` waits for the oldest."""
DELIVERY_S: Final = 30.0
"""How long a record may take to be acknowledged, retries included."""


class DeliveryFailed(Exception):
    """The broker did not acknowledge a record; everything before `first_unacknowledged` is safe on the log."""


class IntakeProducer:
    """Sends records to one topic, acknowledged by all replicas, in order within a key.

    One request is on its way at a time, so a retry cannot overtake: a consent stays before the facts it opens for.
    Without idempotence, which the embedded broker does not know, a retry may write a record twice: counted once anyway.
    `log_id` tells the topic from another of the same name.
    """

    def __init__(self, *, brokers: Sequence[str], topic: str, within_s: float = 10.0) -> None:
        """Reach the broker and the topic, which must exist; DeliveryFailed says which of them is not there."""
        self._topic = topic
        self._pending: deque[tuple[int, Any]] = deque()
        try:
            wait_for_broker(brokers, within_s=within_s)
            self.log_id = topic_ids(brokers, [topic])[topic]
            self._producer = _producer(brokers)
            self._partitions = len(self._producer.partitions_for(topic))
        except (BrokerSilentError, TopicMissingError) as error:
            raise DeliveryFailed(str(error)) from error
        except KafkaError as error:
            raise DeliveryFailed(f"the broker cannot be used: {type(error).__name__}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # What was not acknowledged is sent again by the next start, so there is nothing to wait for after a failure.
        try:
            self._producer.close(timeout=5.0 if kind is None else 0.0)
        except KafkaError:
            if kind is None:
                raise DeliveryFailed("the broker did not answer while the last records were sent") from None

    def send(self, *, place: int, key: bytes, value: bytes) -> None:
        """Put a record on its way; `place` is its place in the caller's sequence and must grow. DeliveryFailed."""
        if len(self._pending) >= PENDING_MAX:
            self._await_oldest()
        try:
            future = self._producer.send(
                self._topic, key=key, value=value, partition=partition_of(key, self._partitions)
            )
        except KafkaError as error:
            raise _failed(error) from error
        self._pending.append((place, future))

    def first_unacknowledged(self) -> int | None:
        """Place of the oldest record not acknowledged yet, None when all are. DeliveryFailed if one never will be."""
        while self._pending:
            place, future = self._pending[0]
            if not future.is_done:
                return place
            if future.failed():
                raise _failed(future.exception)
            self._pending.popleft()
        return None

    @property
    def oldest(self) -> int | None:
        """The place of the oldest record not known to be acknowledged, whatever became of it."""
        return self._pending[0][0] if self._pending else None

    def flush(self, *, within_s: float = DELIVERY_S) -> None:
        """Wait until everything is acknowledged. DeliveryFailed when it is not within the time."""
        try:
            self._producer.flush(timeout=within_s)
        except KafkaError as error:
            raise _failed(error) from error
        if self.first_unacknowledged() is not None:
            raise DeliveryFailed("the broker has not acknowledged everything in time")

    def _await_oldest(self) -> None:
        _, future = self._pending[0]
        try:
            future.get(timeout=DELIVERY_S)
        except KafkaError as error:
            raise _failed(error) from error
        self.first_unacknowledged()


def _producer(brokers: Sequence[str]) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=list(brokers),
        client_id="rapport-replay",
        acks="all",
        # Its checksum is computed in Python, byte by byte: over compressed batches that is half the time of a send.
        compression_type="gzip",
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,
        allow_auto_create_topics=False,
        linger_ms=20,
        batch_size=128 * 1024,
        delivery_timeout_ms=int(DELIVERY_S * 1000),
        request_timeout_ms=10_000,
        max_block_ms=10_000,
        metrics_enabled=False,
    )


def _failed(error: BaseException) -> DeliveryFailed:
    return DeliveryFailed(f"the broker did not take a record: {type(error).__name__}")
