"""Where workers say how far behind they are, for readiness and for people: one hash per app in the store."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from redis import Redis, RedisCluster, RedisError
from redis import asyncio as redis_asyncio

from commands.settings import Settings
from events.keys import FAMILIES, global_key, outbox_key
from events.position import Stream
from streams.lag import PartitionLag


class LagBoard:
    """The lags of one app's partitions, as the owners last measured them."""

    def __init__(self, client: redis_asyncio.Redis | redis_asyncio.RedisCluster, *, app: str) -> None:
        self._client = client
        self._key = global_key("lag", app)

    async def publish(self, lags: Sequence[PartitionLag]) -> None:
        """Say how far behind the partitions of this worker are; a store that is away leaves the lag unknown."""
        if not lags:
            return
        board: dict[Any, Any] = {f"{lag.topic}/{lag.partition}": msgspec.json.encode(lag) for lag in lags}
        with suppress(RedisError, OSError):
            await self._client.hset(self._key, mapping=board)
            await self._client.expire(self._key, FAMILIES["lag"].lifetime_s or 60)

    async def read(self) -> list[PartitionLag]:
        """What was last said, of every partition."""
        board = await self._client.hgetall(self._key)
        return [msgspec.json.decode(raw, type=PartitionLag) for raw in board.values()]


def read_board(settings: Settings, *, app: str) -> list[PartitionLag]:
    """The same for whoever does not wait for other things meanwhile; nothing while the store does not answer."""
    try:
        with _connected(settings) as connection:
            board = connection.hgetall(global_key("lag", app))
    except (RedisError, OSError):
        return []
    return [msgspec.json.decode(raw, type=PartitionLag) for raw in board.values()] if isinstance(board, dict) else []


def read_outboxes(settings: Settings, *, app: str, topics: Sequence[str]) -> int | None:
    """How many entries wait in the outboxes of an app; None while the store does not answer."""
    names = [outbox_key(Stream(app, topic, at)) for topic in topics for at in range(settings.partitions)]
    try:
        with _connected(settings) as connection, connection.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.xlen(name)
            return int(sum(pipeline.execute()))
    except (RedisError, OSError):
        return None


def _connected(settings: Settings) -> Redis | RedisCluster:
    client = RedisCluster if settings.redis_cluster else Redis
    return client.from_url(settings.redis, socket_timeout=2.0)
