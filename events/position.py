"""Where we are in the log: epochs, positions, checkpoints."""

import hashlib
from typing import Final, NamedTuple

import msgspec

from events.shape import INTEGER_MAX

EPOCH_STRIDE: Final = 2**44
"""Room for offsets within one epoch when a position is written as one integer."""


class Stream(NamedTuple):
    """One partition as one app reads it: every such reader has its own checkpoint."""

    app: str
    topic: str
    partition: int


class Position(NamedTuple):
    """A place in the log; the epoch says which log, since a topic can be made anew."""

    epoch: int
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.partition}.{self.offset}"

    @property
    def ordinal(self) -> int:
        """Epoch and offset as one growing integer within the partition, below 2^63."""
        return self.epoch * EPOCH_STRIDE + self.offset


class Checkpoint(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How far one stream is folded.

    `offset` is the next offset to read; `fingerprint` is that of the record before it (empty where none was read yet);
    `incarnation` is raised by a repair, so that every owner's next commit mismatches.
    """

    epoch: int
    offset: int
    topic_id: str = ""
    fingerprint: str = ""
    incarnation: int = 0

    def advanced(self, *, offset: int, fingerprint: str) -> "Checkpoint":
        """The checkpoint after a frame that ends at `offset`."""
        if not self.offset <= offset <= INTEGER_MAX:
            raise ValueError("a checkpoint only moves forward")
        return msgspec.structs.replace(self, offset=offset, fingerprint=fingerprint or self.fingerprint)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Compact JSON; the store compares these bytes."""
    return msgspec.json.encode(checkpoint)


def decode_checkpoint(raw: bytes) -> Checkpoint:
    """The inverse of `encode_checkpoint`; msgspec.MsgspecError or UnicodeDecodeError on anything else."""
    return msgspec.json.decode(raw, type=Checkpoint)


def record_fingerprint(*, offset: int, timestamp_ms: int, key: bytes | None, value: bytes | None) -> str:
    """Tells records at one offset apart: offset, timestamp, and 8 bytes of BLAKE2b over key and value."""
    digest = hashlib.blake2b(key or b"", digest_size=8)
    digest.update(b"\x00")
    digest.update(value or b"")
    return f"{offset}:{timestamp_ms}:{digest.hexdigest()}"
