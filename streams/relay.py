"""The relay: publishes what commits left in the outboxes, then drops it. One runs beside each worker.

An entry may be published twice (a crash between publishing and dropping); every receiver knows it by a constant id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from events.position import Stream
from profiles.store import EntryKind, OutboxEntry, ProfileStore
from streams.patience import AWAY

_log = logging.getLogger(__name__)

Publish = Callable[[Stream, Sequence[OutboxEntry]], Awaitable[None]]
"""Publishes entries of one kind, in order; returns when they are safe with their receiver, else raises."""

BATCH = 200


Settle = Callable[[Stream, Sequence[tuple[str, OutboxEntry]]], Awaitable[None]]
"""Does what entries of one kind ask of the store itself and takes them, by id, out of the outbox, in one step."""


class PublishFailed(Exception):
    """The receiver could not be reached; the entries stay and are tried again."""


@dataclass
class Relay:
    """Publishes the outboxes of the streams this worker owns, and settles what is for the store itself.

    `idle_s` is how often they are looked at unasked.
    """

    store: ProfileStore
    publish: Mapping[EntryKind, Publish]
    owned: Callable[[], Sequence[Stream]]
    settle: Mapping[EntryKind, Settle] = field(default_factory=dict)
    idle_s: float = 1.0
    _woken: set[Stream] = field(default_factory=set, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def wake(self, stream: Stream) -> None:
        """Something was put into an outbox."""
        self._woken.add(stream)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. A failure is logged once per round and tried again in the next."""
        now = asyncio.get_running_loop().time
        while True:
            await self._round(self.owned())
            unasked_at = now() + self.idle_s
            while now() < unasked_at and await self._is_woken(before=unasked_at):
                woken, self._woken = self._woken, set()
                await self._round([stream for stream in self.owned() if stream in woken])

    async def _is_woken(self, *, before: float) -> bool:
        try:
            async with asyncio.timeout_at(before):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _round(self, streams: Collection[Stream]) -> None:
        for stream in streams:
            try:
                await self.drain(stream)
            except (PublishFailed, *AWAY) as error:
                _log.warning("outbox of %s waits: %s", stream, type(error).__name__)

    async def drain(self, stream: Stream) -> int:
        """Publish and drop everything that waits in one outbox; answers how many entries that was."""
        published = 0
        while entries := await self.store.outbox(stream, limit=BATCH):
            for kind, publish in self.publish.items():
                chosen = [entry for _, entry in entries if entry.kind == kind]
                if chosen:
                    await publish(stream, chosen)
            for kind, settle in self.settle.items():
                named = [(entry_id, entry) for entry_id, entry in entries if entry.kind == kind]
                if named:
                    await settle(stream, named)
            published_ids = [entry_id for entry_id, entry in entries if entry.kind not in self.settle]
            if published_ids:
                await self.store.drop_outbox(stream, published_ids)
            published += len(entries)
            if len(entries) < BATCH:
                break
        return published
