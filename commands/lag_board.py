"""Where workers say how far behind they are, for readiness and for people: one hash per app in the store."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec
import redis
from redis import RedisError
from redis.asyncio import Redis, RedisCluster

from commands.settings import Settings
from events.keys import FAMILIES, global_key
from streams.lag import PartitionLag


class LagBoard:
    """The lags of one app's partitions, as the owners last measured them."""

    def __init__(self, client: Redis | RedisCluster, *, app: str) -> None:
        self._client = client
        self._key = global_key("lag", app)

    async def publish(self, lags: Sequence[PartitionLag]) -> None:
        """Say how far behind the partitions of this worker are; a store that is away leaves the lag unknown."""
        if not lags:
            return
        board = {f"{lag.topic}/{lag.partition}": msgspec.json.encode(lag) for lag in lags}
        with suppress(RedisError, OSError):
            await self._client.hset(self._key, mapping=board)
            await self._client.expire(self._key, FAMILIES["lag"].lifetime_s or 60)

    async def read(self) -> list[PartitionLag]:
        """What was last said, of every partition."""
        board = await self._client.hgetall(self._key)
        return [msgspec.json.decode(raw, type=PartitionLag) for raw in board.values()]


def read_board(settings: Settings, *, app: str) -> list[PartitionLag]:
    """The same for whoever does not wait for other things meanwhile; nothing while the store does not answer."""
    client = redis.RedisCluster if settings.redis_cluster else redis.Redis
    try:
        with client.from_url(settings.redis, socket_timeout=2.0) as connection:
            board = connection.hgetall(global_key("lag", app))
    except (RedisError, OSError):
        return []
    return [msgspec.json.decode(raw, type=PartitionLag) for raw in board.values()] if isinstance(board, dict) else []
