"""Tells other systems of a no once it is folded, before its hold goes: what they do not know of stays closed here."""

from collections.abc import Sequence
from dataclasses import dataclass

from consent.telling import telling_of
from events.log import EventLog, LogError
from events.position import Stream
from profiles.store import OutboxEntry
from streams.decide_work import in_parallel
from streams.relay import PublishFailed
from streams.settling import decode_release


@dataclass(frozen=True, slots=True)
class ConsentRelay:
    """See `streams.relay.Publish`, for entries of the kind `release`; each is settled after it was told.

    `topic` has the partitions of the facts, so a no is told where the messages to that identity are.
    """

    log: EventLog
    topic: str

    async def __call__(self, stream: Stream, entries: Sequence[OutboxEntry], /) -> None:
        """Publish the noes; PublishFailed when that has to wait."""

        async def tell(entry: OutboxEntry) -> None:
            no = decode_release(entry.payload)
            key, value = no.identity.encode(), telling_of(no)
            await self.log.publish(topic=self.topic, key=key, value=value, partition=stream.partition)

        try:
            await in_parallel(entries, tell)
        except LogError as error:
            raise PublishFailed(type(error).__name__) from error
