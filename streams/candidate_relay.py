"""Publishes candidates from the outbox, each keyed by the person it is for."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from events.log import LogUnavailable
from events.position import Stream
from outreach.candidates import CandidateUndecodable, decode_candidate
from outreach.deciding import Decider
from profiles.person import PersonUnstable
from profiles.store import OutboxEntry, ProfileStoreUnavailable
from streams.decide_work import in_parallel
from streams.fold_work import Clock
from streams.relay import PublishFailed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CandidateRelay:
    """See `streams.relay.Publish`, for entries of the kind `candidate`."""

    decider: Decider
    clock: Clock

    async def __call__(self, _stream: Stream, entries: Sequence[OutboxEntry], /) -> None:
        """Publish the candidates; PublishFailed when that has to wait."""
        try:
            await in_parallel(entries, self._publish)
        except (PersonUnstable, ProfileStoreUnavailable, LogUnavailable) as error:
            raise PublishFailed(type(error).__name__) from error

    async def _publish(self, entry: OutboxEntry) -> None:
        try:
            candidate = decode_candidate(entry.payload)
        except CandidateUndecodable as error:
            # Another version of this program left it; nobody else can make anything of it either.
            _log.error("a candidate of offset %d is dropped: %s", entry.offset, error)
            return
        for each in await self.decider.addressing.addressed(candidate, now=self.clock()):
            await self.decider.publish(each)
