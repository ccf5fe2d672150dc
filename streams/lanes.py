"""Frames of one partition one after the other, those of several partitions at once, a few at a time.

While one partition's commit is on its way to the store and its disk, another's frame is folded.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from streams.ownership import Handed


class Lanes:
    """The lanes of one topic, one per partition that has work.

    `take` deals with one frame and raises nothing but cancellation. How many frames may wait here is not decided here:
    `Ownership` hands over no more of a partition, and of a topic, than it wants in memory.
    """

    def __init__(self, take: Callable[[Handed], Awaitable[None]], *, at_once: int) -> None:
        self._take = take
        self._few = asyncio.Semaphore(at_once)
        self._waiting: dict[int, deque[Handed]] = {}
        self._running: dict[int, asyncio.Task[None]] = {}

    def put(self, handed: Handed) -> None:
        """Queue a frame behind the others of its partition, whatever assignment they are of."""
        partition = handed.frame.partition
        self._waiting.setdefault(partition, deque()).append(handed)
        if partition not in self._running:
            self._running[partition] = asyncio.create_task(self._run(partition), name=f"lane {partition}")

    async def cut(self) -> None:
        """Break off what is still running."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, partition: int) -> None:
        waiting = self._waiting[partition]
        try:
            while waiting:
                async with self._few:
                    await self._take(waiting.popleft())
        finally:
            del self._waiting[partition], self._running[partition]
