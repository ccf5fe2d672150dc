"""Settling over memory: what the adapters of Redis do in one step of the server."""

from collections.abc import Mapping
from dataclasses import dataclass

from consent.holds import HoldName
from consent.memory_holds import MemoryHolds
from events.position import Stream
from profiles.memory_store import MemoryStore
from streams.dead_letters import DeadLetter
from streams.memory_dead_letters import MemoryDeadLetters

EVERY = 1_000_000


@dataclass(frozen=True)
class SettledLetters:
    """See `streams.settling.Settles`."""

    store: MemoryStore
    letters: MemoryDeadLetters

    async def settle(self, stream: Stream, by_entry: Mapping[str, DeadLetter]) -> None:
        await self.letters.keep(list(by_entry.values()))
        await self.store.drop_outbox(stream, list(by_entry))


@dataclass(frozen=True)
class SettledHolds:
    """See `streams.settling.Settles`."""

    store: MemoryStore
    holds: MemoryHolds

    async def settle(self, stream: Stream, by_entry: Mapping[str, HoldName]) -> None:
        standing = {entry_id for entry_id, _ in await self.store.outbox(stream, limit=EVERY)}
        for entry_id in by_entry.keys() & standing:
            await self.holds.release(by_entry[entry_id])
        await self.store.drop_outbox(stream, list(by_entry))
