"""Timers: candidates that wait for their time, by the partition of the person they are for."""

from collections.abc import Sequence
from typing import Protocol

from outreach.candidates import Candidate, encode_candidate


class Timers(Protocol):
    """Where candidates wait."""

    async def schedule(self, partition: int, candidate: Candidate) -> None:
        """Let it wait until it is due; the same one again changes nothing."""
        ...

    async def due(self, partition: int, *, now: int, limit: int) -> list[bytes]:
        """The encoded candidates that are due at `now` (ms), the longest due first."""
        ...

    async def drop(self, partition: int, encoded: Sequence[bytes]) -> None:
        """They wait no more."""
        ...


class MemoryTimers:
    """Timers in this process's memory."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[bytes, int]] = {}

    async def schedule(self, partition: int, candidate: Candidate) -> None:
        """See `Timers`."""
        self._waiting.setdefault(partition, {})[encode_candidate(candidate)] = candidate.due

    async def due(self, partition: int, *, now: int, limit: int) -> list[bytes]:
        """See `Timers`."""
        waiting = self._waiting.get(partition, {})
        return sorted((raw for raw, due in waiting.items() if due <= now), key=lambda raw: (waiting[raw], raw))[:limit]

    async def drop(self, partition: int, encoded: Sequence[bytes]) -> None:
        """See `Timers`."""
        for raw in encoded:
            self._waiting.get(partition, {}).pop(raw, None)
