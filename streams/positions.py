"""Where each partition goes on: at its checkpoint, at the log's start where it has none, or nowhere while unknown."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streams.frame import Checkpoints
from streams.ownership import Key
from streams.patience import AWAY, tried

Firsts = Callable[[Collection[Key]], Awaitable[Mapping[Key, int]]]
"""The first offset the log still holds of each partition."""


class CheckpointsUnreadError(Exception):
    """Where to go on could not be read, for a reason that waiting does not mend."""


class Read(NamedTuple):
    """The next offsets to read, and why those of the other partitions are not known now."""

    starts: dict[tuple[str, int], int]
    unknown: dict[tuple[str, int], str]


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Reads positions for the transport; `within_s` bounds what is read of one topic."""

    checkpoints: Checkpoints
    firsts: Firsts
    retry_delays_s: Sequence[float]
    within_s: float

    async def read(self, keys: Collection[Key]) -> Read:
        """Where these partitions go on. CheckpointsUnreadError for a defect, which ends the worker."""
        read = Read({}, {})
        for topic in sorted({key.topic for key in keys}):
            mine = [key for key in keys if key.topic == topic]
            try:
                async with asyncio.timeout(self.within_s):
                    read.starts.update(await self._of(topic, mine))
            except (*AWAY, TimeoutError) as error:
                reason = f"where to go on could not be read: {str(error) or 'no answer in time'}"
                read.unknown.update(dict.fromkeys(mine, reason))
            except Exception as error:  # noqa: BLE001  its fate: the worker ends
                # Faust logs what ends it with all it says; ours says nothing of the data.
                raise CheckpointsUnreadError(f"the checkpoints of {topic}: {type(error).__name__}") from None
        return read

    async def _of(self, topic: str, keys: Collection[Key]) -> dict[tuple[str, int], int]:
        partitions = [key.partition for key in keys]
        committed = await tried(
            lambda: self.checkpoints.committed(topic, partitions),
            what=f"reading the checkpoints of {topic}",
            delays_s=self.retry_delays_s,
        )
        known: dict[tuple[str, int], int] = {
            Key(topic, partition): offset for partition, offset in committed.items() if offset is not None
        }
        fresh = [key for key in keys if key not in known]
        return known | {**(await self.firsts(fresh) if fresh else {})}
