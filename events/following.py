"""Following history: readers that keep something of their own, each at its own place, made from what was archived."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from events.fact import Fact
from events.history import History
from events.position import Position

STRETCH: Final = 50_000
"""Offsets that are handed over at a time, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The offsets `[start, end)` of a partition, with those of its facts that were asked for, in offset order."""

    epoch: int
    partition: int
    start: int
    end: int
    facts: Sequence[tuple[Position, Fact]]


class Follower(Protocol):
    """Keeps what it makes of facts, and its own place. A stretch may come again, whole or in part, after a crash."""

    def next_offset(self, epoch: int, partition: int) -> int:
        """The offset to go on from; 0 where nothing was taken."""
        ...

    def take(self, stretch: Stretch) -> None:
        """Keep what the facts say and the place after them: durable when it returns, all or nothing."""
        ...


def follow(history: History, follower: Follower, *, types: Collection[str]) -> int:
    """Hand over all facts of the types that were archived since; how many offsets that was.

    Partitions are followed one by one, epochs in their order. HistoryDamaged for a file that cannot be read.
    """
    moved = 0
    for epoch, partition in history.partitions():
        end = history.contiguous_end(epoch, partition)
        while (start := follower.next_offset(epoch, partition)) < end:
            until = min(end, start + STRETCH)
            facts = list(history.facts_between(epoch, partition, start=start, end=until, types=types))
            follower.take(Stretch(epoch=epoch, partition=partition, start=start, end=until, facts=facts))
            moved += until - start
    return moved
