"""Which processes work on a store, and for which partition count they were started: one sorted set in the store."""

from pathlib import Path
from typing import Any, Final

import msgspec

from events.keys import FAMILIES, global_key
from profiles.redis_faults import faults
from profiles.redis_library import Client

LEASE_S: Final = FAMILIES["lease"].lifetime_s or 0
"""How long a lease lasts that is not renewed."""
_SCRIPT: Final = Path(__file__).with_name("lease.lua").read_text(encoding="utf-8")


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process at work on a store; `pid` is that of its own machine or container, named by `host`."""

    name: str
    host: str
    pid: int
    partitions: int

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid} on {self.host}, {self.partitions} partitions)"


class RedisLeases:
    """The leases of a store. Errors are those of `profiles.store`; whether a renewal stands is then unknown."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._key = global_key("lease")

    async def renew(self, holder: Holder) -> None:
        """Let the holder's lease last `LEASE_S` from now, by the store's clock."""
        await self._do(msgspec.json.encode(holder), LEASE_S)

    async def end(self, holder: Holder) -> None:
        """The holder does nothing here any more."""
        with faults():
            await self._client.zrem(self._key, msgspec.json.encode(holder))

    async def held(self) -> list[Holder]:
        """All whose lease lasts."""
        return [msgspec.json.decode(raw, type=Holder) for raw in await self._do()]

    async def _do(self, *words: bytes | int) -> list[bytes]:
        with faults():
            answer: Any = await self._client.eval(_SCRIPT, 1, self._key, *words)
        return list(answer)
