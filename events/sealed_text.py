"""Sealed text: bytes that stand in a URL, read back by whoever holds the key alone.

AES-SIV (RFC 5297) gives the same bytes the same text as long as the key stays, and refuses every other text.
"""

import base64
import binascii
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV


class NotSealedHere(ValueError):
    """The text was not sealed under this key for this use."""


@dataclass(frozen=True, slots=True)
class SealedText:
    """Seals under `key` (32 secret bytes); what is sealed for one `use` opens for no other."""

    key: bytes = field(repr=False)
    use: bytes
    _cipher: AESSIV = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cipher", AESSIV(self.key))

    def seal(self, content: bytes) -> str:
        """URL-safe text; the same every time."""
        return _text(self._cipher.encrypt(content, [self.use]))

    def open(self, text: str) -> bytes:
        """What was sealed; NotSealedHere for anything we did not make."""
        try:
            sealed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if _text(sealed) != text:
                raise NotSealedHere  # another spelling of the same bytes would be another name for one thing
            return self._cipher.decrypt(sealed, [self.use])
        except (UnicodeEncodeError, binascii.Error, InvalidTag, ValueError) as error:
            raise NotSealedHere from error


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")
