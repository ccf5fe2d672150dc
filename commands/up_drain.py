"""When a worker may be stopped although the log ends with it: nothing more is on its way through it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from commands.clock import now_ms
from streams.lag import PartitionLag, too_late

HEARD_MS: Final = 1_000
"""A worker hears of a new record at most this late, so an older measurement may not have it."""


@dataclass(kw_only=True)
class Drained:
    """Whether a worker has handled all that stood on its topics when this was first asked, and what followed from it.

    A record moves on from topic to topic (intake, facts, decisions) and by way of the outboxes. So it takes two looks:
    at the first everything is handled and the outboxes are empty, and at the second, later by what it takes to hear of
    a new record, nothing has moved. A stopped partition cannot be drained and is not waited for.
    """

    lags: Callable[[], Sequence[PartitionLag]]
    waiting: Callable[[], int | None]
    topics: Sequence[str]
    partitions: int
    clock: Callable[[], int] = now_ms
    _since: int | None = field(default=None, init=False)
    _seen: frozenset[tuple[str, int, int]] | None = field(default=None, init=False)

    def __call__(self) -> bool:
        """Asked again and again; see `embedded.service.Service`."""
        now = self.clock()
        if self._since is None:
            self._since = now
        lags = [lag for lag in self.lags() if lag.topic in self.topics]
        if not self._is_handled(lags, now=now):
            return False
        seen = frozenset((lag.topic, lag.partition, lag.checkpoint) for lag in lags)
        if seen == self._seen:
            return True
        if self.waiting() == 0:
            self._since, self._seen = self.clock(), seen
        return False

    def _is_handled(self, lags: Sequence[PartitionLag], *, now: int) -> bool:
        """Whether every partition was heard to be at its end since the last look."""
        since = (self._since or 0) + HEARD_MS
        if any(lag.measured_at_ms < since for lag in lags):
            return False
        for topic in self.topics:
            running = [lag for lag in lags if lag.topic == topic and lag.stopped is None]
            stopped = sum(lag.topic == topic and lag.stopped is not None for lag in lags)
            if too_late(running, partitions=self.partitions - stopped, limit=0, now_ms=now) is not None:
                return False
        return True
