"""The sweeper: whatever a no or an act left undone when a process died or the log was silent is done later.

It publishes a fact that may be on the log already rather than leave one out; profiles know each event.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from consent.holds import ConsentStoreUnavailable, Hold, HoldName
from consent.recording import Recorder
from events.fact import FactUndecodable
from events.log import LogError, LogRefused

_log = logging.getLogger(__name__)

GRACE_MS: Final = 2_000
"""How long whoever recorded the act is left to finish it."""
PAUSE_MAX_MS: Final = 3_600_000
_STUCK: Final = (FactUndecodable, LogRefused)
"""Trying again does not help; the others go on."""


class Tried(NamedTuple):
    """How often a hold's fact was published by this process, and when last (ms)."""

    times: int
    at: int


def due(holds: Iterable[Hold], *, tried: Mapping[HoldName, Tried], at: int) -> list[Hold]:
    """The holds whose fact is to be published now (ms): past their grace, and again ever more seldom.

    One that stands long after its fact was published waits for a fold that is behind, or set the fact aside.
    """
    return [hold for hold in holds if _due_at(hold, tried.get(hold.name)) <= at]


def _due_at(hold: Hold, tried: Tried | None) -> int:
    if tried is None:
        return hold.made_at + GRACE_MS
    return tried.at + min(GRACE_MS << min(tried.times, 16), PAUSE_MAX_MS)


class Swept(NamedTuple):
    """What a sweep found: facts published, holds that stand, and when the oldest of them was made (ms)."""

    published: int
    waiting: int
    oldest_at: int | None


@dataclass
class Sweeper:
    """Completes acts and publishes the facts of holds in the partitions it is told. Several may run at once."""

    recorder: Recorder
    partitions: Callable[[], Collection[int]]
    clock: Callable[[], int]
    _tried: dict[HoldName, Tried] = field(default_factory=dict, init=False)

    async def run(self, *, every_s: float = 1.0) -> None:
        """Until cancelled. What could not be reached is tried again."""
        while True:
            try:
                await self.sweep()
            except (LogError, ConsentStoreUnavailable) as error:
                _log.warning("consent acts wait: %s", type(error).__name__)
            await asyncio.sleep(every_s)

    async def sweep(self) -> Swept:
        """Once through all partitions. LogError or ConsentStoreUnavailable when it could not go through."""
        published = 0
        standing: list[Hold] = []
        for partition in sorted(self.partitions()):
            published += await self._complete_acts(partition)
            holds = await self.recorder.holds.waiting(partition)
            published += await self._publish(due(holds, tried=self._tried, at=self.clock()))
            standing += holds
        names = {hold.name for hold in standing}
        self._tried = {name: tried for name, tried in self._tried.items() if name in names}
        return Swept(published, len(standing), min((hold.made_at for hold in standing), default=None))

    async def _complete_acts(self, partition: int) -> int:
        published = 0
        for record in await self.recorder.records.pending(partition):
            if record.made_at + GRACE_MS > self.clock():
                continue
            try:
                await self.recorder.place_holds(record)
                published += len(await self.recorder.append(record))
            except _STUCK as error:
                _log.error("a consent act cannot be completed and stays: %s", type(error).__name__)
        return published

    async def _publish(self, holds: list[Hold]) -> int:
        published = 0
        for hold in holds:
            try:
                await self.recorder.log.append([self.recorder.admitted(hold.fact)])
                published += 1
            except _STUCK as error:
                _log.error("the fact of a hold cannot be published, the hold stays: %s", type(error).__name__)
            times = self._tried.get(hold.name, Tried(0, 0)).times + 1
            self._tried[hold.name] = Tried(times, self.clock())
        return published
