"""The keys that seal the bodies of facts: one for an identity, a kind of facts and a period of receipt.

Whoever destroys a key destroys all it sealed, wherever copies of that lie. Keys are kept apart from profiles and facts,
and never in clear: each is wrapped under the key of the installation.
"""

import base64
import hmac
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.fact import BodyKey
from events.sealed_bytes import NONCE_BYTES, SealBroken, open_bytes, seal_bytes

EVIDENCE: Final = "legal.records"
"""The kind of facts that prove what was allowed: it outlives an erasure, for a named time and under two persons."""

_CHANCE_BYTES: Final = 14
_MARK_BYTES: Final = 6


class KeyName(NamedTuple):
    """What a key is for: the facts of one identity (a pseudonym), of one kind, received in one period."""

    identity: str
    kind: str
    period: str


class StoredKey(NamedTuple):
    """A key as it is kept: its id, which tells nothing, and the wrapped secret."""

    id: str
    wrapped: bytes


class Retired(NamedTuple):
    """A key of somebody who was erased: why it is kept (the id of the request), and until when (ms)."""

    id: str
    wrapped: bytes
    because: str
    until: int


class BodyKeysUnavailable(Exception):
    """The keys cannot be asked, or did not answer: ask again. Nothing is sealed or opened meanwhile."""


class BodyKeyUnknown(Exception):
    """A key of this installation that its keys do not hold: they are another copy than the one it was made in."""


class BodyGone(Exception):
    """The key of the body was destroyed, so the fact is no more: its person was erased, or it aged out."""


class BodyKeys(Protocol):
    """Where keys are kept; several processes use it at once. All calls block. BodyKeysUnavailable.

    What is written is durable when a call returns. `is_near` says that looking something up reads this machine alone,
    and takes microseconds: an event loop may do it.
    """

    is_near: ClassVar[bool]

    def named(self, names: Collection[KeyName]) -> dict[KeyName, StoredKey]:
        """The keys that stand under these names."""
        ...

    def ensure(self, offered: Mapping[KeyName, StoredKey]) -> dict[KeyName, StoredKey]:
        """The key that stands under each name: the one offered where there was none."""
        ...

    def find(self, ids: Collection[str]) -> dict[str, bytes | None]:
        """The wrapped secrets of those that were ever made here; None for one that is destroyed or retired."""
        ...

    def identities(self) -> set[str]:
        """Whoever has a key."""
        ...

    def tally(self) -> dict[tuple[str, str], int]:
        """How many keys stand, by kind and period."""
        ...

    def destroy(self, identities: Collection[str], *, spared: Collection[str] = ()) -> int:
        """Destroy every key of the identities but those of the kinds that are spared; how many."""
        ...

    def age_out(self, kind: str, period: str) -> int:
        """Destroy every key of a kind and period; how many."""
        ...

    def retire(self, identities: Collection[str], *, because: str, until: int) -> int:
        """Take what is left of the identities' keys out of use, under a reason (an id) in place of the name; how many.

        They open nothing from then on but by `retired`, and new facts get new keys.
        """
        ...

    def destructions(self) -> int:
        """A number that becomes another one with every key that is destroyed or taken out of use.

        Whoever remembers keys by name asks it, to know whether what is remembered still stands.
        """
        ...

    def retired(self) -> list[Retired]:
        """The keys that are kept of the erased."""
        ...

    def end(self, ids: Collection[str]) -> int:
        """Destroy retired keys; how many."""
        ...

    def give_up(self, ids: Collection[str]) -> int:
        """Count keys that are not known as destroyed, since they will not be found again; how many."""
        ...

    def reached(self) -> int:
        """The number of the last erasure that was done here; 0 where none was. A copy put back tells by it."""
        ...

    def reach(self, number: int) -> None:
        """Remember that number."""
        ...

    def wipe(self) -> str | None:
        """See to it that what was destroyed is in no file any more; why it is not, None once it is not."""
        ...


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """Makes keys and takes them out of their wraps, under the key of the installation (32 bytes)."""

    key: bytes = field(repr=False)
    random: Callable[[int], bytes] = os.urandom
    _wraps: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wraps", AESGCM(self.key))

    def make(self) -> StoredKey:
        """A new key."""
        chance = self.random(_CHANCE_BYTES)
        key_id = self._id(chance)
        nonce = self.random(NONCE_BYTES)
        return StoredKey(key_id, seal_bytes(self._wraps, self.random(32), bound=key_id.encode(), nonce=nonce))

    def unwrap(self, stored: StoredKey) -> BodyKey:
        """The key in its wrap; BodyKeysUnavailable where it was wrapped by another installation, or damaged."""
        try:
            secret = open_bytes(self._wraps, stored.wrapped, bound=stored.id.encode())
        except SealBroken as error:
            raise BodyKeysUnavailable("a key was wrapped under another key of the installation, or damaged") from error
        return BodyKey(stored.id, AESGCM(secret))

    def made(self, key_id: str) -> bool:
        """Whether a key of this id was made by this installation."""
        try:
            raw = base64.b32decode(key_id.upper())
        except ValueError:
            return False
        return key_id == self._id(raw[:_CHANCE_BYTES])

    def _id(self, chance: bytes) -> str:
        return base64.b32encode(chance + self._mark(chance)).decode().lower()

    def _mark(self, chance: bytes) -> bytes:
        return hmac.digest(self.key, b"key id" + chance, "sha256")[:_MARK_BYTES]


def period_of(received_at: int) -> str:
    """The quarter in which a moment (ms) lies, such as 2026-3."""
    moment = datetime.fromtimestamp(received_at / 1000, tz=UTC)
    return f"{moment.year}-{(moment.month + 2) // 3}"


def end_of(period: str) -> int:
    """When a quarter ends (ms); ValueError for what is none."""
    year, quarter = map(int, period.split("-"))
    month = quarter * 3 + 1
    return int(datetime(year + month // 13, (month - 1) % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
