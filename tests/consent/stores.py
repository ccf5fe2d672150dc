"""The adapters a contract is run on, each empty, and how many partitions they have."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis, RedisCluster

from consent.redis_faults import Client
from tests.servers import ValkeyCluster

PARTITIONS = 8
KINDS = ("memory", "redis", "cluster")


@asynccontextmanager
async def client_of(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client of an empty single store or of an empty cluster; the server starts when this is asked for."""
    client: Client
    if kind == "cluster":
        cluster: ValkeyCluster = request.getfixturevalue("valkey_cluster")
        cluster.flush()
        client = RedisCluster.from_url(cluster.url, protocol=2)
    else:
        client = Redis.from_url(request.getfixturevalue("valkey_url"), protocol=2)
    try:
        yield client
    finally:
        await client.aclose()


def kinds() -> list[object]:
    """The kinds as parameters; all but memory need servers."""
    return [pytest.param(kind, marks=[] if kind == "memory" else [pytest.mark.servers]) for kind in KINDS]
