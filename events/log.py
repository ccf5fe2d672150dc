"""The log: facts are appended to it and acknowledged by every replica before anybody is told so."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    AuthenticationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from events.admission import Admitted
from events.body_keys import BodyKeysUnavailable
from events.position import Position
from events.sealing import IN_CLEAR, Seals

RECORD_BYTES_MAX: Final = 1024 * 1024

_REFUSALS: Final = (
    AssertionError,  # how the client says that a topic has no such partition
    AuthenticationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


class Outgoing(NamedTuple):
    """One record on its way to a partition of a topic."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes


class LogError(Exception):
    """Records were not acknowledged. `failed` says by index which of those handed over, and why.

    The others were acknowledged. Appending all of them again is harmless to profiles, which know each event.
    """

    def __init__(self, message: str, *, failed: Mapping[int, str] | None = None) -> None:
        super().__init__(message)
        self.failed = dict(failed or {})


class LogUnavailable(LogError):
    """No acknowledgement in time: retry. Whether a record was written is unknown."""


class LogRefused(LogError):
    """The log will not take a record (too large, no such partition, not allowed): retrying does not help."""


class EventLog(Protocol):
    """What everybody who publishes needs of the log."""

    async def append(self, admitted: Sequence[Admitted]) -> list[Position]:
        """Append facts in order and return their positions once all replicas have all of them; else LogError."""
        ...

    async def publish(self, *, topic: str, key: bytes | None, value: bytes, partition: int) -> int:
        """Publish one record to another topic and return its offset once all replicas have it; else LogError."""
        ...


class KafkaLog:
    """The log on Kafka.

    No idempotent producer, since the embedded broker has none: a lost acknowledgement is retried and may write twice,
    which the window of known events in each facet absorbs. Order within a partition is kept, since the client has one
    request for it in flight at a time. `timeout_s` bounds one call with all its retries.
    """

    def __init__(
        self,
        *,
        brokers: str,
        topic: str,
        epoch: int,
        timeout_s: float = 10.0,
        client: Mapping[str, Any] | None = None,
        sealing: Seals = IN_CLEAR,
    ) -> None:
        """`client` holds further settings of the Kafka client, such as its security; `sealing` seals the facts."""
        self._topic = topic
        self._epoch = epoch
        self._timeout_s = timeout_s
        self._sealing = sealing
        self._options = {
            "bootstrap_servers": brokers,
            "acks": "all",
            "enable_idempotence": False,
            "request_timeout_ms": int(timeout_s * 1000),
            "max_request_size": RECORD_BYTES_MAX,
            "linger_ms": 0,
            **(client or {}),
        }
        self._producer: Any = None

    async def start(self) -> None:
        """Connect; LogUnavailable when nobody answers."""
        producer = AIOKafkaProducer(**self._options)
        try:
            async with asyncio.timeout(self._timeout_s):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            await producer.stop()
            raise LogUnavailable(f"the log does not answer: {type(error).__name__}") from error
        self._producer = producer

    async def stop(self) -> None:
        """Send what is left and disconnect; a log that does not answer is not waited for longer than one call."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await asyncio.wait([asyncio.ensure_future(producer.stop())], timeout=self._timeout_s)

    async def append(self, admitted: Sequence[Admitted]) -> list[Position]:
        """See `EventLog`."""
        outgoing = await outgoing_facts(admitted, topic=self._topic, sealing=self._sealing)
        offsets = await self._send(outgoing)
        return [Position(self._epoch, item.partition, offset) for item, offset in zip(admitted, offsets, strict=True)]

    async def publish(self, *, topic: str, key: bytes | None, value: bytes, partition: int) -> int:
        """See `EventLog`."""
        [offset] = await self._send([Outgoing(topic, partition, key, value)])
        return offset

    async def _send(self, outgoing: Sequence[Outgoing]) -> list[int]:
        if self._producer is None:
            raise LogUnavailable(
                "the log is not connected", failed=dict.fromkeys(range(len(outgoing)), "not connected")
            )
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        acknowledgements = [await self._handed_over(record, deadline) for record in outgoing]
        outcomes = [await _outcome(acknowledgement, deadline) for acknowledgement in acknowledgements]
        return _offsets(outcomes)

    async def _handed_over(self, record: Outgoing, deadline: float) -> Awaitable[Any] | Exception:
        """The acknowledgement to wait for, or why the client would not even take the record."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._producer.send(  # type: ignore[no-any-return]
                    record.topic, value=record.value, key=record.key, partition=record.partition
                )
        except (KafkaError, TimeoutError, *_REFUSALS) as error:
            return error


async def outgoing_facts(admitted: Sequence[Admitted], *, topic: str, sealing: Seals) -> list[Outgoing]:
    """The records of facts: keyed by the pseudonym, in the partition admission chose, sealed.

    LogUnavailable while the keys do not answer: nothing goes out in clear for that.
    """
    try:
        values = await sealing.sealed([item.fact for item in admitted])
    except BodyKeysUnavailable as error:
        failed = dict.fromkeys(range(len(admitted)), "not sealed")
        raise LogUnavailable(f"facts cannot be sealed: {error}", failed=failed) from error
    return [
        Outgoing(topic, item.partition, item.fact.identity.encode(), value)
        for item, value in zip(admitted, values, strict=True)
    ]


async def _outcome(acknowledgement: Awaitable[Any] | Exception, deadline: float) -> int | Exception:
    if isinstance(acknowledgement, Exception):
        return acknowledgement
    try:
        async with asyncio.timeout_at(deadline):
            return int((await acknowledgement).offset)
    except (KafkaError, TimeoutError) as error:
        return error


def _offsets(outcomes: Sequence[int | Exception]) -> list[int]:
    """The offsets if all are acknowledged, else the one error that names what failed."""
    failures = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, Exception)}
    if not failures:
        return [outcome for outcome in outcomes if isinstance(outcome, int)]
    named = {index: reason(error) for index, error in failures.items()}
    message = f"{len(failures)} of {len(outcomes)} records were not acknowledged: {next(iter(named.values()))}"
    if all(isinstance(error, _REFUSALS) for error in failures.values()):
        raise LogRefused(message, failed=named)
    raise LogUnavailable(message, failed=named)


def reason(error: Exception) -> str:
    """A failure in words, without anything of the record."""
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        return "too large"
    if isinstance(error, AssertionError):
        return "no such partition"
    if isinstance(error, _REFUSALS):
        return f"refused ({type(error).__name__})"
    return f"no acknowledgement in time ({type(error).__name__})"
