"""No process goes on under a partition count, or in a store, that the profiles have left.

Whoever works on a store holds a lease there and renews it only while the store is the one in use. A move closes the
store first and looks for leases afterwards, so of the two one sees the other. A process that could not renew in time
does not know whether the profiles were moved meanwhile: until it does, it acknowledges nothing.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from commands.logs import PROFILES, known_epochs
from commands.settings import Settings
from events.position import Stream
from profiles.rebuild import MOVED, Closed
from profiles.redis_leases import LEASE_S, Holder, RedisLeases
from profiles.redis_rebuild import RedisRebuild
from profiles.redis_store import RedisStore
from profiles.store import ProfileStoreError

_log = logging.getLogger(__name__)

RENEWED_S: Final = 5.0
MARGIN_S: Final = 1.0
"""By how much our own end of a lease comes before the store's: clocks do not run at quite the same pace."""
END_S: Final = 1.0
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, as the store's does."""


class LayoutLeft(Exception):
    """The profiles are not, or not any more, where and how these settings say; the text says what to do."""


def boot_s() -> float:
    """Seconds since some moment, those in which the machine slept too."""
    return time.clock_gettime(_CLOCK)


@dataclass
class Lease:
    """The lease of this process, made by `leased`. `clock` is `boot_s`."""

    settings: Settings
    store: RedisStore
    holder: Holder
    clock: Callable[[], float] = boot_s
    _until: float = field(default=float("-inf"), init=False)
    _left: str | None = field(default=None, init=False)

    def refusal(self) -> str | None:
        """Why nothing may be acknowledged now, None while the lease lasts.

        Asked after a write: while it lasts, no move has looked yet at what was written before.
        """
        if self._left is not None:
            return self._left
        return None if self.clock() < self._until else "the lease on the store ran out; it could not be renewed"

    async def renew(self) -> None:
        """Renew, unless the profiles left; errors are those of `profiles.store`, and the lease then runs out."""
        leases, asked_at = RedisLeases(self.store.client), self.clock()
        self._left = await left(self.settings, self.store)
        if self._left is None:
            await leases.renew(self.holder)
            # Again: a move that began in between may have looked before we were there.
            self._left = await left(self.settings, self.store)
        if self._left is None:
            self._until = asked_at + LEASE_S - MARGIN_S
        else:
            self._until = float("-inf")
            await leases.end(self.holder)

    async def keep(self, _beside: object = None) -> None:
        """Renew again and again; LayoutLeft once the profiles left."""
        while True:
            await asyncio.sleep(RENEWED_S)
            try:
                await self.renew()
            except ProfileStoreError as error:
                _log.warning("the lease on the store is not renewed: %s", error, extra={"reason": "lease"})
            if self._left is not None:
                _log.error("stopped: %s", self._left)
                raise LayoutLeft(self._left)


async def left(settings: Settings, store: RedisStore) -> str | None:
    """Why the profiles are not what these settings say: moved, or spread over another partition count."""
    epochs = await known_epochs(store)
    if epochs and (count := epochs[-1].shape.partitions) != settings.partitions:
        return f"the facts are spread over {count} partitions, the settings say {settings.partitions}"
    standing = await RedisRebuild(store.client).standing(Stream(PROFILES, settings.events_topic, 0))
    return MOVED if isinstance(standing, Closed) and standing.stage == "moved" else None


@asynccontextmanager
async def leased(settings: Settings, store: RedisStore, *, name: str) -> AsyncIterator[Lease]:
    """Work on a store as `name`; LayoutLeft where the profiles are elsewhere or otherwise."""
    holder = Holder(name=name, host=socket.gethostname(), pid=os.getpid(), partitions=settings.partitions)
    lease = Lease(settings, store, holder)
    await lease.renew()
    if (why := lease.refusal()) is not None:
        raise LayoutLeft(why)
    try:
        yield lease
    finally:
        # A store that is away forgets it by itself.
        with suppress(ProfileStoreError, TimeoutError):
            async with asyncio.timeout(END_S):
                await RedisLeases(store.client).end(holder)
