"""The store in memory: the same contract as the one in Redis, for tests and for trying things out."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from events.keys import checkpoint_key, facet_key, outbox_key
from events.position import Checkpoint, Stream, encode_checkpoint
from profiles.codec import decode_facet, encode_facets
from profiles.commit_checks import OUTBOX_AHEAD, check_commit, entry_id, entry_order, read_checkpoint
from profiles.facet import Facet
from profiles.store import Commit, Committed, Mismatch, OutboxEntry, ProfileStoreUnfit, Standing

_NEVER: Final = (-1, -1)


@dataclass(frozen=True, slots=True)
class _Outbox:
    """Entries by id, and the greatest id there ever was."""

    entries: dict[str, OutboxEntry] = field(default_factory=dict)
    greatest: tuple[int, int] = _NEVER


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a store held at one moment."""

    values: dict[str, bytes]
    outboxes: dict[str, _Outbox]


class MemoryStore:
    """See `profiles.store.ProfileStore`. It holds bytes, as a server does, so that no facet is shared by accident."""

    def __init__(self, *, partitions: int | None = None, decode: Callable[[bytes], Facet] = decode_facet) -> None:
        self._partitions = partitions
        self._decode = decode
        self.values: dict[str, bytes] = {}
        self._outboxes: dict[str, _Outbox] = {}

    async def checkpoint(self, stream: Stream) -> Checkpoint | None:
        """See `ProfileStore`."""
        return read_checkpoint(self.values.get(checkpoint_key(stream)))

    async def load(self, partition: int, identities: Collection[str]) -> dict[str, Facet]:
        """See `ProfileStore`."""
        blobs = {identity: self.values.get(facet_key(partition, identity)) for identity in identities}
        return {identity: self._decode(blob) for identity, blob in blobs.items() if blob is not None}

    async def load_standing(self, stream: Stream, identities: Collection[str]) -> Standing:
        """See `ProfileStore`."""
        return Standing(await self.checkpoint(stream), await self.load(stream.partition, identities))

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        """See `ProfileStore`; ValueError as `profiles.commit_checks` says."""
        check_commit(commit, partitions=self._partitions)
        name = checkpoint_key(commit.stream)
        standing = self.values.get(name)
        if standing != (None if commit.expected is None else encode_checkpoint(commit.expected)):
            return Mismatch(read_checkpoint(standing))
        blobs = encode_facets(commit.facets.values())
        if commit.outbox:
            self._append(outbox_key(commit.stream), {entry_id(commit, entry): entry for entry in commit.outbox})
        for identity, blob in zip(commit.facets, blobs, strict=True):
            self.values[facet_key(commit.stream.partition, identity)] = blob
        self.values[name] = encode_checkpoint(commit.next)
        return Committed()

    async def outbox(self, stream: Stream, *, limit: int) -> list[tuple[str, OutboxEntry]]:
        """See `ProfileStore`."""
        return list(self._outbox(outbox_key(stream)).entries.items())[:limit]

    async def drop_outbox(self, stream: Stream, ids: Sequence[str]) -> None:
        """See `ProfileStore`."""
        outbox = self._outbox(outbox_key(stream))
        kept = {name: entry for name, entry in outbox.entries.items() if name not in set(ids)}
        self._outboxes[outbox_key(stream)] = replace(outbox, entries=kept)

    async def outbox_length(self, stream: Stream) -> int:
        """See `ProfileStore`."""
        return len(self._outbox(outbox_key(stream)).entries)

    def snapshot(self) -> Snapshot:
        """Everything as it stands."""
        return Snapshot(dict(self.values), dict(self._outboxes))

    def restore(self, snapshot: Snapshot) -> None:
        """Go back in time, as a store put back from a backup does."""
        self.values.clear()
        self.values.update(snapshot.values)
        self._outboxes.clear()
        self._outboxes.update(snapshot.outboxes)

    def seen_by(self, decode: Callable[[bytes], Facet]) -> "MemoryStore":
        """Another store on the same data, as a process with that codec has it."""
        other = MemoryStore(partitions=self._partitions, decode=decode)
        other.values, other._outboxes = self.values, self._outboxes
        return other

    def keys(self) -> list[str]:
        """The key of everything that is held."""
        return [*self.values, *self._outboxes]

    def _outbox(self, name: str) -> _Outbox:
        return self._outboxes.get(name, _Outbox())

    def _append(self, name: str, entries: dict[str, OutboxEntry]) -> None:
        outbox = self._outbox(name)
        places = [entry_order(each) for each in entries]
        if places[0] <= outbox.greatest:
            raise ProfileStoreUnfit(OUTBOX_AHEAD)
        self._outboxes[name] = _Outbox({**outbox.entries, **entries}, places[-1])
