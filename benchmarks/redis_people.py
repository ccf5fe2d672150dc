"""Many values put into a store at once, and what they take there."""

from collections.abc import Iterable
from typing import Any

import redis

Stored = tuple[str, bytes]
"""A key and its value."""

_AT_ONCE = 1000


def put(url: str, stored: Iterable[Stored]) -> int:
    """Set every value; the bytes of all values."""
    total = 0
    client: Any = redis.Redis.from_url(url)
    with client, client.pipeline(transaction=False) as pipeline:
        for name, value in stored:
            pipeline.set(name, value)
            total += len(value)
            if len(pipeline) >= _AT_ONCE:
                pipeline.execute()
        pipeline.execute()
    return total


def value_of(url: str, name: str) -> bytes | None:
    """What stands under a key."""
    with redis.Redis.from_url(url) as client:
        found = client.get(name)
    return found if isinstance(found, bytes) else None


def taken(url: str) -> dict[str, int]:
    """Bytes the server has allocated, and bytes of its append-only file."""
    client: Any = redis.Redis.from_url(url)
    with client:
        return {
            "used_memory": int(client.info("memory")["used_memory"]),
            "append_only_file": int(client.info("persistence")["aof_current_size"]),
        }
