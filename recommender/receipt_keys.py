"""The inputs of receipts under a key of the identity: whoever destroys the key makes them unreadable in every copy.

It is the key of the identity's contract facts of the quarter, so an erasure destroys it with the others.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from consent.purposes import SERVICE
from events.body_keys import BodyKeys, BodyKeysUnavailable, KeyMaker, KeyName, StoredKey, end_of, period_of
from events.fact import BodyKey
from events.sealed_bytes import SealBroken, open_bytes, seal_bytes
from events.sealing import REMEMBERED_MAX, REMEMBERED_S
from recommender.receipt_sealing import InputsUnreadable, InstallationSealing, KeyGone

AWAY_S: Final = 1.0
"""How long keys that did not answer are not asked again: nobody queues behind a server that is away."""
_ID_BYTES: Final = 32


@dataclass
class IdentitySealing:
    """See `recommender.receipt_sealing.Sealing`. What is sealed begins with the id of its key.

    Keys are remembered for as long as none is destroyed, which is looked for every `REMEMBERED_S`. `earlier` opens
    what was sealed before there were keys of identities, and seals while it is not `is_on`. `now` tells ms, `clock`
    seconds.
    """

    keys: BodyKeys
    maker: KeyMaker
    earlier: InstallationSealing
    now: Callable[[], int]
    is_on: bool = True
    clock: Callable[[], float] = time.monotonic
    _held: dict[str, BodyKey] = field(default_factory=dict, init=False, repr=False)
    _as_of: float = field(default=-math.inf, init=False)
    _away_at: float = field(default=-math.inf, init=False)
    _period: str = field(default="", init=False)
    _period_ends: int = field(default=0, init=False)
    _destructions: int = field(default=0, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    async def ready(self, identity: str) -> None:
        """See `Sealing`."""
        if not self.is_on or self._at_hand(identity) is not None:
            return
        # A thread costs more than to look into a file; unless one is just making a key, which waits for the disk.
        if self.keys.is_near and self._turn.acquire(blocking=False):
            try:
                if self._known(identity) is not None:
                    return
            finally:
                self._turn.release()
        await asyncio.to_thread(self._looked_up, identity)

    def seal(self, identity: str, content: bytes) -> bytes:
        """See `Sealing`."""
        if not self.is_on:
            return self.earlier.seal(identity, content)
        key = self._at_hand(identity) or self._looked_up(identity)
        return key.id.encode() + seal_bytes(key.cipher, content, bound=_bound(identity))

    def open(self, identity: str, sealed: bytes) -> bytes:
        """See `Sealing`."""
        key_id = sealed[:_ID_BYTES].decode("ascii", errors="replace")
        # The id carries a mark of the installation, which nothing sealed earlier begins with by chance.
        if not self.maker.made(key_id):
            return self.earlier.open(identity, sealed)
        try:
            return open_bytes(self._opening(key_id).cipher, sealed[_ID_BYTES:], bound=_bound(identity))
        except SealBroken as error:
            raise InputsUnreadable("the sealed inputs are damaged, or were sealed for another identity") from error

    def _at_hand(self, identity: str) -> BodyKey | None:
        if self.clock() - self._as_of > REMEMBERED_S or self.now() >= self._period_ends:
            return None
        return self._held.get(identity)

    def _looked_up(self, identity: str) -> BodyKey:
        """The key of an identity for now, made where there is none. Blocks."""
        with self._turn:
            return self._known(identity) or self._made(identity)

    def _known(self, identity: str) -> BodyKey | None:
        """The key of an identity for now. Its caller has the turn."""
        with self._answering():
            began, period = self.clock(), period_of(self.now())
            if began - self._as_of > REMEMBERED_S or period != self._period:
                self._forget_if_destroyed(period)
                self._as_of = began
            if identity not in self._held:
                name = KeyName(identity, SERVICE, period)
                self._hold(identity, self.keys.named([name]).get(name))
        return self._held.get(identity)

    def _forget_if_destroyed(self, period: str) -> None:
        destructions = self.keys.destructions()
        if (destructions, period) != (self._destructions, self._period):
            self._destructions, self._period, self._held = destructions, period, {}
            self._period_ends = end_of(period)

    def _made(self, identity: str) -> BodyKey:
        """A new key of an identity, or the one that somebody else made meanwhile. Its caller has the turn."""
        name = KeyName(identity, SERVICE, self._period)
        with self._answering():
            self._hold(identity, self.keys.ensure({name: self.maker.make()})[name])
        return self._held[identity]

    def _hold(self, identity: str, stored: StoredKey | None) -> None:
        if len(self._held) >= REMEMBERED_MAX:
            self._held = {}
        if stored is not None:
            self._held[identity] = self.maker.unwrap(stored)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        if self.clock() - self._away_at < AWAY_S:
            raise BodyKeysUnavailable("the keys did not answer a moment ago")
        try:
            yield
        except BodyKeysUnavailable:
            self._away_at = self.clock()
            raise

    def _opening(self, key_id: str) -> BodyKey:
        """The key of an id as it is now: it is asked each time."""
        try:
            found = self.keys.find([key_id])
            if key_id not in found:
                raise InputsUnreadable(f"the keys do not hold {key_id}, which sealed the inputs")
            wrapped = found[key_id]
            if wrapped is None:
                raise KeyGone("the key was destroyed")
            return self.maker.unwrap(StoredKey(key_id, wrapped))
        except BodyKeysUnavailable as error:
            raise InputsUnreadable(str(error)) from error


def _bound(identity: str) -> bytes:
    return b"receipt\x00" + identity.encode()
