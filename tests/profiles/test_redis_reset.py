"""A connection to the store that is reset counts as one that is lost, under uvloop too."""

import asyncio
from typing import Any

import pytest
import uvloop
from redis import exceptions

from profiles.redis_store import redis_client


async def ping_over_a_reset_connection(url: str) -> None:
    client = redis_client(url, cluster=False)
    try:
        await client.ping()
        pool: Any = client.connection_pool  # type: ignore[union-attr]
        [connection] = pool._available_connections
        connection._writer.transport.abort()
        await asyncio.wait([asyncio.ensure_future(connection._writer.wait_closed())], timeout=1)
        with pytest.raises(exceptions.ConnectionError):
            await connection.send_packed_command([b"*1\r\n$4\r\nPING\r\n"], check_health=False)
        assert await client.ping()
    finally:
        await client.aclose()


def test_a_reset_connection_is_told_as_lost_and_the_next_command_goes_through(valkey_url: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ping_over_a_reset_connection(valkey_url))
