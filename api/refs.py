"""References: how a person stands in a URL. Sealed pseudonyms, so that nothing has to be kept to read one back."""

import base64
from dataclasses import dataclass, field
from typing import Final

from events.pseudonyms import PSEUDONYM
from events.sealed_text import SealedText

REF_CHARACTERS_MAX: Final = 120
_USE: Final = b"rapport ref 1"


class RefUnknown(ValueError):
    """The text is not a reference made under this installation's key."""


@dataclass(frozen=True, slots=True)
class Refs:
    """Seals pseudonyms and opens references under `key` (32 secret bytes)."""

    key: bytes = field(repr=False)
    _sealed: SealedText = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sealed", SealedText(self.key, _USE))

    def seal(self, identity: str) -> str:
        """The reference of a pseudonym: URL-safe, and the same every time."""
        return self._sealed.seal(_packed(identity))

    def open(self, ref: str) -> str:
        """The pseudonym a reference stands for; RefUnknown for anything we did not make."""
        if len(ref) > REF_CHARACTERS_MAX:
            raise RefUnknown
        try:
            return _unpacked(self._sealed.open(ref))
        except ValueError as error:
            raise RefUnknown from error


def _packed(identity: str) -> bytes:
    if not PSEUDONYM.fullmatch(identity):
        raise ValueError("only a pseudonym may be sealed")
    namespace, _, digest = identity.partition(":")
    return base64.b32decode(digest.upper() + "======") + namespace.encode()


def _unpacked(packed: bytes) -> str:
    digest = base64.b32encode(packed[:16]).decode().rstrip("=").lower()
    return f"{packed[16:].decode()}:{digest}"
