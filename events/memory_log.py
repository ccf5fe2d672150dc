"""A log in memory, with the contract of the real one: for tests, demonstrations and simulations."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from events.admission import Admitted
from events.log import RECORD_BYTES_MAX, LogRefused, LogUnavailable, Outgoing, outgoing_facts
from events.position import Position
from events.sealing import IN_CLEAR, Seals


class MemoryRecord(NamedTuple):
    """A record as it stands in a partition."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class MemoryLog:
    """See `events.log.EventLog`; what stands in a partition is read with `records`."""

    def __init__(
        self,
        *,
        topic: str,
        partitions: int,
        epoch: int = 1,
        clock: Callable[[], int] = lambda: 0,
        sealing: Seals = IN_CLEAR,
    ) -> None:
        """`clock` gives the milliseconds since 1970 that records are stamped with; `sealing` seals the facts."""
        self._topic = topic
        self._partitions = partitions
        self._epoch = epoch
        self._clock = clock
        self._sealing = sealing
        self._running = False
        self._records: defaultdict[tuple[str, int], list[MemoryRecord]] = defaultdict(list)

    async def start(self) -> None:
        """Take records from now on."""
        self._running = True

    async def stop(self) -> None:
        """Answer LogUnavailable from now on; what was written stays."""
        self._running = False

    async def append(self, admitted: Sequence[Admitted]) -> list[Position]:
        """See `EventLog`."""
        offsets = self._take(await outgoing_facts(admitted, topic=self._topic, sealing=self._sealing))
        return [Position(self._epoch, item.partition, offset) for item, offset in zip(admitted, offsets, strict=True)]

    async def publish(self, *, topic: str, key: bytes | None, value: bytes, partition: int) -> int:
        """See `EventLog`."""
        [offset] = self._take([Outgoing(topic, partition, key, value)])
        return offset

    def records(self, topic: str, partition: int) -> Sequence[MemoryRecord]:
        """Everything that stands in a partition, in order."""
        return tuple(self._records[topic, partition])

    def _take(self, outgoing: Sequence[Outgoing]) -> list[int]:
        if not self._running:
            raise LogUnavailable(
                "the log is not connected", failed=dict.fromkeys(range(len(outgoing)), "not connected")
            )
        failed: dict[int, str] = {}
        offsets = []
        for index, record in enumerate(outgoing):
            if not 0 <= record.partition < self._partitions:
                failed[index] = "no such partition"
            elif len(record.value) > RECORD_BYTES_MAX:
                failed[index] = "too large"
            else:
                partition = self._records[record.topic, record.partition]
                offsets.append(len(partition))
                partition.append(MemoryRecord(len(partition), self._clock(), record.key, record.value))
        if failed:
            raise LogRefused(f"{len(failed)} of {len(outgoing)} records were refused", failed=failed)
        return offsets
