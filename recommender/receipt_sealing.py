"""How the inputs of receipts are sealed: what every way of sealing does, and the one by a key of the installation.

Whoever only keeps keys or forgets people imports this, and none of what makes an answer.
"""

from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.sealed_bytes import SealBroken, open_bytes, seal_bytes


class InputsUnreadable(Exception):
    """The sealed inputs of a receipt cannot be had; the text says why."""


class KeyGone(InputsUnreadable):
    """The key of the identity was destroyed: the person was erased."""


class Sealing(Protocol):
    """Seals bytes for one identity (a pseudonym)."""

    async def ready(self, identity: str) -> None:
        """See to it that sealing for the identity now need not wait for a key; BodyKeysUnavailable."""
        ...

    def seal(self, identity: str, content: bytes) -> bytes:
        """The content under a key of the identity. Blocks where that is not at hand; BodyKeysUnavailable."""
        ...

    def open(self, identity: str, sealed: bytes) -> bytes:
        """What was sealed for the identity; InputsUnreadable otherwise, KeyGone where its key was destroyed."""
        ...


@dataclass(frozen=True, slots=True)
class InstallationSealing:
    """AES-256-GCM under one key (32 secret bytes) for the whole installation, bound to the identity."""

    key: bytes = field(repr=False)
    _cipher: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cipher", AESGCM(self.key))

    async def ready(self, _identity: str) -> None:
        """See `Sealing`: there is nothing to wait for."""

    def seal(self, identity: str, content: bytes) -> bytes:
        """See `Sealing`: a nonce by chance, then the ciphertext with its tag."""
        return seal_bytes(self._cipher, content, bound=identity.encode())

    def open(self, identity: str, sealed: bytes) -> bytes:
        """See `Sealing`."""
        try:
            return open_bytes(self._cipher, sealed, bound=identity.encode())
        except SealBroken as error:
            raise InputsUnreadable("the sealed inputs are damaged, or were sealed under another key") from error
