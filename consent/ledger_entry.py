"""What stands in the ledger: entries, and the leaves that commit to them without saying anything.

A leaf holds the HMAC-SHA-256 of the entry under a salt of its own. Entry and salt are its opening, kept apart: whoever
has it can show what the leaf stands for, and once it is destroyed nobody can tell, nor try, what it was.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from consent.ledger_canonical import canonical
from consent.ledger_tree import leaf_hash

SALT_BYTES: Final = 32
COMMITMENT_BYTES: Final = 32


class LedgerError(Exception):
    """The ledger cannot do what was asked; the text says why and what to do, never what an entry holds."""


class LedgerDamaged(LedgerError):
    """What lies on disk is not what was written; nothing is written or signed any more."""


class EntryUnknown(LedgerError):
    """There is no such entry, or its opening was destroyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing to be put down.

    `id` is unique for ever: the same one again is the same entry. `kind` says what it is. `content` is what
    `ledger_canonical` can write. `subjects` are the pseudonyms of everybody it is about, by which its opening can be
    destroyed.
    """

    id: str
    kind: str
    content: Mapping[str, Any]
    subjects: frozenset[str] = frozenset()

    def payload(self) -> bytes:
        """The canonical bytes that the leaf commits to; NotCanonical for content that has none."""
        return canonical({"content": dict(self.content), "id": self.id, "kind": self.kind})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a leaf stands for, and the salt that shows it."""

    index: int
    salt: bytes
    payload: bytes

    @property
    def commitment(self) -> bytes:
        """What the leaf says (32 bytes)."""
        return commitment_of(salt=self.salt, payload=self.payload)

    @property
    def entry(self) -> dict[str, Any]:
        """The entry as it was put down: id, kind and content."""
        said: dict[str, Any] = json.loads(self.payload)
        return said


def commitment_of(*, salt: bytes, payload: bytes) -> bytes:
    """What a leaf says about an entry (32 bytes)."""
    return hmac.digest(salt, payload, "sha256")


def leaf_of(commitment: bytes) -> bytes:
    """The leaf of the tree, in canonical JSON."""
    return b'{"commitment":"%b","version":1}' % commitment.hex().encode()


def hash_of(commitment: bytes) -> bytes:
    """The hash of the leaf that says this."""
    return leaf_hash(leaf_of(commitment))
