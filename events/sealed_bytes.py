"""Sealed bytes: AES-256-GCM (NIST SP 800-38D) with the nonce in front, as everything sealed here is kept."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12


class SealBroken(ValueError):
    """The bytes do not open: they, what they are bound to, or the key are not those they were sealed with."""


def seal_bytes(cipher: AESGCM, content: bytes, *, bound: bytes | None, nonce: bytes | None = None) -> bytes:
    """The nonce (12 bytes, by chance if not given) and the ciphertext, which opens with the same `bound` only."""
    nonce = os.urandom(NONCE_BYTES) if nonce is None else nonce
    return nonce + cipher.encrypt(nonce, content, bound)


def open_bytes(cipher: AESGCM, sealed: bytes, *, bound: bytes | None) -> bytes:
    """What was sealed; SealBroken where it was not by this cipher, for these bytes, or was altered."""
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("the bytes do not open") from error
