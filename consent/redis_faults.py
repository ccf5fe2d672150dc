"""What the redis client raises, as this room's own error."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from consent.holds import ConsentStoreUnavailable

Client = Redis | RedisCluster


@contextmanager
def faults() -> Iterator[None]:
    """ConsentStoreUnavailable for whatever goes wrong between us and the server."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise ConsentStoreUnavailable(f"the store did not serve consent: {type(error).__name__}") from error
