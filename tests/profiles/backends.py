"""The stores the contract is tried on, and what a test does to one behind its back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import pytest
from redis.asyncio import Redis

from profiles.codec import decode_facet
from profiles.facet import Facet
from profiles.memory_store import MemoryStore
from profiles.redis_store import RedisStore
from profiles.store import ProfileStore
from tests.servers import Valkey, ValkeyCluster

PARTITIONS = 8
Decode = Callable[[bytes], Facet]


class Backend(Protocol):
    """One set of data, and stores that see it."""

    @property
    def store(self) -> ProfileStore: ...

    async def another(self, decode: Decode = decode_facet) -> ProfileStore:
        """A second store on the same data, as another process has it."""
        ...

    async def plant(self, key: str, value: bytes | None) -> None:
        """Set a value, or take it away."""
        ...

    async def keys(self) -> list[str]:
        """All that is held."""
        ...


@dataclass
class MemoryBackend:
    store: MemoryStore

    async def another(self, decode: Decode = decode_facet) -> ProfileStore:
        return self.store.seen_by(decode)

    async def plant(self, key: str, value: bytes | None) -> None:
        if value is None:
            self.store.values.pop(key, None)
        else:
            self.store.values[key] = value

    async def keys(self) -> list[str]:
        return self.store.keys()


@dataclass
class RedisBackend:
    url: str
    cluster: bool
    store: RedisStore
    opened: list[RedisStore]

    async def another(self, decode: Decode = decode_facet) -> ProfileStore:
        store = await RedisStore.connect(self.url, cluster=self.cluster, partitions=PARTITIONS, decode=decode)
        self.opened.append(store)
        return store

    async def plant(self, key: str, value: bytes | None) -> None:
        if value is None:
            await self.store.client.delete(key)
        else:
            await self.store.client.set(key, value)

    async def keys(self) -> list[str]:
        everywhere = {} if isinstance(self.store.client, Redis) else {"target_nodes": "primaries"}
        found = await self.store.client.execute_command("KEYS", "*", **everywhere)
        return [key.decode() for key in found]


EVERY_BACKEND = [
    "memory",
    pytest.param("valkey", marks=pytest.mark.servers),
    pytest.param("valkey_cluster", marks=pytest.mark.servers),
]
"""The parameters of a fixture that asks for `backend_of`."""


@asynccontextmanager
async def backend_of(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    """The backend that one of EVERY_BACKEND names."""
    if request.param == "memory":
        yield memory_backend()
        return
    async with redis_backend(request.getfixturevalue(request.param)) as server:
        yield server


def memory_backend() -> MemoryBackend:
    """A store in memory."""
    return MemoryBackend(MemoryStore(partitions=PARTITIONS))


@asynccontextmanager
async def redis_backend(server: Valkey | ValkeyCluster) -> AsyncIterator[RedisBackend]:
    """An emptied server."""
    server.flush()
    cluster = isinstance(server, ValkeyCluster)
    store = await RedisStore.connect(server.url, cluster=cluster, partitions=PARTITIONS)
    backend = RedisBackend(server.url, cluster, store, [store])
    try:
        yield backend
    finally:
        for each in backend.opened:
            await each.close()
