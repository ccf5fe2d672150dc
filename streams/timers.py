"""The timers beside a worker: candidates whose time has come are published again, to be looked at then."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from events.log import LogError
from outreach.candidates import CandidateUndecodable, decode_candidate
from outreach.deciding import Decider
from streams.fold_work import Clock
from streams.patience import AWAY

_log = logging.getLogger(__name__)

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerWatch:
    """Looks after the timers of the partitions it is told. Several may run at once: a decision is made once."""

    decider: Decider
    partitions: Callable[[], Collection[int]]
    clock: Clock

    async def run(self, *, every_s: float = 1.0) -> None:
        """Until cancelled. What could not be reached is tried again."""
        while True:
            try:
                await self.fire()
            except (LogError, *AWAY) as error:
                _log.warning("timers wait: %s", type(error).__name__)
            await asyncio.sleep(every_s)

    async def fire(self) -> int:
        """Publish all that is due, then drop it; answers how many that was. LogError, or one of `patience.AWAY`."""
        fired = 0
        for partition in sorted(self.partitions()):
            while due := await self.decider.timers.due(partition, now=self.clock(), limit=BATCH):
                for raw in due:
                    await self._publish(raw)
                await self.decider.timers.drop(partition, due)
                fired += len(due)
        return fired

    async def _publish(self, raw: bytes) -> None:
        try:
            candidate = decode_candidate(raw)
        except CandidateUndecodable as error:
            _log.error("a timer is dropped: %s", error)
            return
        await self.decider.publish(candidate)
