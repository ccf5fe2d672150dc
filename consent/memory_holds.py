"""Holds in this process's memory: for tests and for replays."""

from collections.abc import Collection, Sequence

from consent.holds import Hold, HoldName
from events.partitioning import partition_of


class MemoryHolds:
    """See `consent.holds.Holds`."""

    def __init__(self, *, partitions: int) -> None:
        self._partitions = partitions
        self._holds: dict[HoldName, Hold] = {}

    async def place(self, holds: Sequence[Hold]) -> None:
        """See `Holds`."""
        for hold in holds:
            self._holds.setdefault(hold.name, hold)

    async def of(self, identities: Collection[str]) -> dict[str, frozenset[str]]:
        """See `Holds`."""
        return {
            identity: frozenset(hold.purpose for hold in self._holds.values() if hold.identity == identity)
            for identity in identities
        }

    async def release(self, name: HoldName) -> None:
        """See `Holds`."""
        self._holds.pop(name, None)

    async def waiting(self, partition: int) -> list[Hold]:
        """See `Holds`."""
        here = [
            hold for hold in self._holds.values() if partition_of(hold.identity.encode(), self._partitions) == partition
        ]
        return sorted(here, key=lambda hold: (hold.made_at, hold.identity, hold.event_key))
