"""The door to stored profiles: load facets, commit a frame's worth of them with the checkpoint, all or nothing.

Exactly once is a compare-and-swap on the checkpoint: a commit says which checkpoint it expects. If another one stands
there nothing is written and the commit learns what does stand, which is the duplicate check, the fence against a
paused owner that wakes up, and what makes an owner's memory of facets safe.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from events.position import Checkpoint, Stream
from profiles.facet import Facet
from profiles.packed import Packed

FACETS_MAX = 500
"""Facets one commit may write."""
BLOBS_MAX = 64 * 1024 * 1024
"""Bytes of facets one commit may write; a single facet, which is bounded itself, always fits."""

EntryKind = Literal["dead_letter", "candidate", "release"]


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """Something to publish: `offset` is the record it came from, `index` tells several of one record apart."""

    offset: int
    index: int
    kind: EntryKind
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one frame changes: facets by pseudonym, outbox entries, and the step from one checkpoint to the next."""

    stream: Stream
    expected: Checkpoint | None
    next: Checkpoint
    facets: Mapping[str, Facet | Packed] = field(default_factory=dict)
    outbox: Sequence[OutboxEntry] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """The commit stands; it is durable as far as the store's own durability goes."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Nothing was written: this checkpoint stands there instead (None: none at all)."""

    found: Checkpoint | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Facets as they stood at one moment, and the checkpoint that stood there with them."""

    checkpoint: Checkpoint | None
    facets: dict[str, Facet]


class CommitTooHeavy(ValueError):
    """Several facets weigh more than one call may carry. Nothing was sent: commit fewer records at once."""


class ProfileStoreError(Exception):
    """The store could not be asked or did not answer; the outcome of a commit is then unknown and it is sent again."""


class ProfileStoreUnavailable(ProfileStoreError):
    """No connection, a time-out, or the store refuses writes (full, read-only): retry with backoff."""


class ProfileStoreUnfit(ProfileStoreError):
    """The store cannot serve this program (version, missing function that cannot be loaded): stop."""


class ProfileStore(Protocol):
    """What the event process and the person read need of a store. Facets are addressed by partition and pseudonym."""

    async def checkpoint(self, stream: Stream) -> Checkpoint | None:
        """The checkpoint of a stream, None before its first commit."""
        ...

    async def load(self, partition: int, identities: Collection[str]) -> dict[str, Facet]:
        """The facets that exist; identities without one are absent. `profiles.codec.FacetUnreadable` for a bad blob."""
        ...

    async def load_standing(self, stream: Stream, identities: Collection[str]) -> Standing:
        """The same of a stream's partition, read at one moment with the stream's checkpoint."""
        ...

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        """Write everything if the expected checkpoint stands there, else nothing; CommitTooHeavy beyond `BLOBS_MAX`."""
        ...

    async def outbox(self, stream: Stream, *, limit: int) -> list[tuple[str, OutboxEntry]]:
        """The oldest entries, in position order, each with the id to drop it by."""
        ...

    async def drop_outbox(self, stream: Stream, ids: Sequence[str]) -> None:
        """Forget entries that were published."""
        ...

    async def outbox_length(self, stream: Stream) -> int:
        """How many entries wait; a full outbox is backpressure."""
        ...
