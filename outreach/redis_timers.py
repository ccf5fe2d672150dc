"""Timers in Redis or Valkey: one sorted set per partition, the candidates by the time they are due."""

from collections.abc import Sequence
from typing import Any, Final

from events.keys import partition_key
from outreach.candidates import Candidate, encode_candidate
from outreach.redis_records import Client, faults

FAMILY: Final = "due"


class RedisTimers:
    """See `outreach.timers.Timers`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def schedule(self, partition: int, candidate: Candidate) -> None:
        """See `Timers`."""
        with faults():
            await self._client.zadd(partition_key(FAMILY, partition), {encode_candidate(candidate): candidate.due})

    async def due(self, partition: int, *, now: int, limit: int) -> list[bytes]:
        """See `Timers`."""
        with faults():
            found: Any = await self._client.zrangebyscore(
                partition_key(FAMILY, partition), "-inf", now, start=0, num=limit
            )
        return list(found)

    async def drop(self, partition: int, encoded: Sequence[bytes]) -> None:
        """See `Timers`."""
        if encoded:
            with faults():
                await self._client.zrem(partition_key(FAMILY, partition), *encoded)
