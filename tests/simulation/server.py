"""The store's server in memory: everything one Redis holds, which a copy can bring back and a fire can take."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from consent.act_records import MemoryActRecords
from consent.memory_holds import MemoryHolds
from events.position import Checkpoint, Stream
from outreach.records import MemoryRecords
from outreach.timers import MemoryTimers
from profiles.memory_store import MemoryStore, Snapshot
from streams.memory_dead_letters import MemoryDeadLetters
from tests.streams.memory_settling import SettledHolds, SettledLetters


@dataclass(frozen=True)
class Copy:
    """Everything at one moment; `calls` says when."""

    profiles: Snapshot
    rest: tuple[dict[Any, Any], ...]


@dataclass
class Server:
    """The parts, by what they keep."""

    partitions: int
    profiles: MemoryStore = field(init=False)
    holds: MemoryHolds = field(init=False)
    settled_holds: SettledHolds = field(init=False)
    settled_letters: SettledLetters = field(init=False)
    acts: MemoryActRecords = field(default_factory=MemoryActRecords)
    decisions: MemoryRecords = field(default_factory=MemoryRecords)
    timers: MemoryTimers = field(default_factory=MemoryTimers)
    letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)

    def __post_init__(self) -> None:
        self.profiles = MemoryStore(partitions=self.partitions)
        self.holds = MemoryHolds(partitions=self.partitions)
        self.settled_holds = SettledHolds(self.profiles, self.holds)
        self.settled_letters = SettledLetters(self.profiles, self.letters)

    async def standing(self, streams: Collection[Stream]) -> dict[Stream, Checkpoint | None]:
        """See `streams.store_watch.Standing`."""
        return {stream: await self.profiles.checkpoint(stream) for stream in streams}

    def held(self) -> set[tuple[str, bytes]]:
        """Identity and event key of each hold; in a history no two acts share them."""
        return {(name.identity, name.event_key) for name in self.holds._holds}

    def copy(self) -> Copy:
        """What a copy of its file holds."""
        return Copy(self.profiles.snapshot(), tuple(_copied(each) for each in self._rest()))

    def restore(self, copy: Copy) -> None:
        """It comes back with what a copy held."""
        self.profiles.restore(copy.profiles)
        for held, before in zip(self._rest(), copy.rest, strict=True):
            held.clear()
            held.update(_copied(before))

    def _rest(self) -> tuple[dict[Any, Any], ...]:
        return (
            self.holds._holds,
            self.acts._records,
            self.decisions._decisions,
            self.timers._waiting,
            self.letters._keys,
            self.letters._letters,
        )


def _copied(held: dict[Any, Any]) -> dict[Any, Any]:
    return {name: dict(value) if isinstance(value, dict) else value for name, value in held.items()}
