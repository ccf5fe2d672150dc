"""A log in memory, with the contract of the real one: for tests, demonstrations and simulations."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from events.admission import Admitted
from events.log import RECORD_BYTES_MAX, LogRefused, LogUnavailable, Outgoing, outgoing_fact
from events.position import Position


class MemoryRecord(NamedTuple):
    """A record as it stands in a partition."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class MemoryLog:
    """See `events.log.EventLog`; what stands in a partition is read with `records`."""

    def __init__(self, *, topic: str, partitions: int, epoch: int = 1, clock: Callable[[], int] = lambda: 0) -> None:
        """`clock` gives the milliseconds since 1970 that records are stamped with."""
        self._topic = topic
        self._partitions = partitions
        self._epoch = epoch
        self._clock = clock
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
        offsets = self._take([outgoing_fact(item, topic=self._topic) for item in admitted])
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
