"""References: how a person stands in a URL. Sealed pseudonyms, so that nothing has to be kept to read one back.

AES-SIV (RFC 5297) gives one identity one reference as long as the key stays, and refuses every other text.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from events.pseudonyms import PSEUDONYM

REF_CHARACTERS_MAX: Final = 120
_PURPOSE: Final = [b"rapport ref 1"]


class RefUnknown(ValueError):
    """The text is not a reference made under this installation's key."""


@dataclass(frozen=True, slots=True)
class Refs:
    """Seals pseudonyms and opens references under `key` (32 secret bytes)."""

    key: bytes = field(repr=False)
    _cipher: AESSIV = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cipher", AESSIV(self.key))

    def seal(self, identity: str) -> str:
        """The reference of a pseudonym: URL-safe, and the same every time."""
        return _text(self._cipher.encrypt(_packed(identity), _PURPOSE))

    def open(self, ref: str) -> str:
        """The pseudonym a reference stands for; RefUnknown for anything we did not make."""
        if len(ref) > REF_CHARACTERS_MAX:
            raise RefUnknown
        try:
            sealed = base64.b64decode(ref.encode("ascii") + b"=" * (-len(ref) % 4), altchars=b"-_", validate=True)
            if _text(sealed) != ref:
                raise RefUnknown  # another spelling of the same bytes would be another name for one person
            return _unpacked(self._cipher.decrypt(sealed, _PURPOSE))
        except (UnicodeEncodeError, binascii.Error, InvalidTag, ValueError) as error:
            raise RefUnknown from error


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _packed(identity: str) -> bytes:
    if not PSEUDONYM.fullmatch(identity):
        raise ValueError("only a pseudonym may be sealed")
    namespace, _, digest = identity.partition(":")
    return base64.b32decode(digest.upper() + "======") + namespace.encode()


def _unpacked(packed: bytes) -> str:
    digest = base64.b32encode(packed[:16]).decode().rstrip("=").lower()
    return f"{packed[16:].decode()}:{digest}"
