"""Act records: a consent act with every fact it amounts to, kept until all of them are on the log."""

from typing import Protocol

import msgspec
from msgspec.structs import replace


class ActRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One act. `facts` are the encoded facts, one per identity, all under `event_key` (8 bytes).

    `digest` (4 bytes) tells another payload under the same act id apart; `restricts` says that it is a no;
    `partition` is where the record is kept; `made_at` is in ms.
    """

    event_key: bytes
    digest: bytes
    partition: int
    restricts: bool
    made_at: int
    facts: tuple[bytes, ...]
    done: bool = False


class ActRecords(Protocol):
    """Where act records stand. Both writes bear repetition."""

    async def begin(self, record: ActRecord) -> ActRecord | None:
        """Let the record stand, unless one of the same event key does: then that one is answered."""
        ...

    async def finish(self, record: ActRecord) -> None:
        """All its facts are on the log; it is remembered for a day, so that the same act is known again."""
        ...

    async def pending(self, partition: int) -> list[ActRecord]:
        """The records of a partition that are not finished, oldest first."""
        ...


class MemoryActRecords:
    """Act records in this process's memory."""

    def __init__(self) -> None:
        self._records: dict[bytes, ActRecord] = {}

    async def begin(self, record: ActRecord) -> ActRecord | None:
        """See `ActRecords`."""
        standing = self._records.setdefault(record.event_key, record)
        return None if standing is record else standing

    async def finish(self, record: ActRecord) -> None:
        """See `ActRecords`."""
        self._records[record.event_key] = replace(record, done=True)

    async def pending(self, partition: int) -> list[ActRecord]:
        """See `ActRecords`."""
        found = [each for each in self._records.values() if each.partition == partition and not each.done]
        return sorted(found, key=lambda record: (record.made_at, record.event_key))
