"""Rebuilt facets in memory, beside those of a `MemoryStore`."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from events.keys import PREFIX, checkpoint_key, facet_key, partition_key
from events.position import Checkpoint, Position, Stream, encode_checkpoint
from profiles.codec import decode_facet, encode_facet
from profiles.facet import Facet
from profiles.memory_store import MemoryStore
from profiles.packed import Packed
from profiles.rebuild import Closed, Origin, decode_place, encode_closed, encode_place, read_standing

FAMILY = "rebuilt"


class MemoryRebuild:
    """See `profiles.rebuild.RebuildStore`."""

    def __init__(self, store: MemoryStore) -> None:
        self._values = store.values

    async def standing(self, stream: Stream) -> Checkpoint | Closed | None:
        """See `RebuildStore`."""
        return read_standing(self._values.get(checkpoint_key(stream)))

    async def change(self, stream: Stream, expected: Checkpoint | Closed | None, following: Closed) -> bool:
        """See `RebuildStore`."""
        if await self.standing(stream) != expected:
            return False
        self._values[checkpoint_key(stream)] = encode_closed(following)
        return True

    async def reopen(self, stream: Stream, expected: Closed, following: Checkpoint, *, is_done: bool) -> bool:
        """See `RebuildStore`."""
        if await self.standing(stream) != expected:
            return False
        self._values[checkpoint_key(stream)] = encode_checkpoint(following)
        if is_done:
            await self.forget(stream.partition)
        return True

    async def place(self, partition: int) -> Position | None:
        """See `RebuildStore`."""
        return decode_place(self._values.get(partition_key(FAMILY, partition)))

    async def load(self, partition: int, identities: Collection[str]) -> tuple[Position | None, dict[str, Facet]]:
        """See `RebuildStore`."""
        blobs = {name: self._values.get(partition_key(FAMILY, partition, name)) for name in identities}
        found = {name: decode_facet(blob) for name, blob in blobs.items() if blob is not None}
        return await self.place(partition), found

    async def add(
        self, partition: int, *, expected: Position | None, following: Position, facets: Mapping[str, Facet | Packed]
    ) -> bool:
        """See `RebuildStore`."""
        if await self.place(partition) != expected:
            return False
        for identity, facet in facets.items():
            self._values[partition_key(FAMILY, partition, identity)] = encode_facet(facet)
        self._values[partition_key(FAMILY, partition)] = encode_place(following)
        return True

    async def prune(self, stream: Stream, closed: Closed, identities: Sequence[str]) -> int | None:
        """See `RebuildStore`."""
        if await self.standing(stream) != closed:
            return None
        bare = [name for name in identities if partition_key(FAMILY, stream.partition, name) not in self._values]
        return sum(self._values.pop(facet_key(stream.partition, name), None) is not None for name in bare)

    async def move(self, stream: Stream, closed: Closed, identities: Sequence[str]) -> int | None:
        """See `RebuildStore`."""
        if await self.standing(stream) != closed:
            return None
        moved = 0
        for name in identities:
            blob = self._values.pop(partition_key(FAMILY, stream.partition, name), None)
            if blob is not None:
                self._values[facet_key(stream.partition, name)] = blob
                moved += 1
        return moved

    async def forget(self, partition: int) -> None:
        """See `RebuildStore`."""
        self._values.pop(partition_key(FAMILY, partition), None)

    async def sweep(self, partition: int, identities: Sequence[str]) -> int:
        """See `RebuildStore`."""
        if await self.place(partition) is not None:
            return 0
        names = [partition_key(FAMILY, partition, name) for name in identities]
        return sum(self._values.pop(name, None) is not None for name in names)

    async def identities(self, origin: Origin) -> AsyncIterator[tuple[int, str]]:
        """See `RebuildStore`."""
        for key in list(self._values):
            words = key.split(":", 3)
            if words[0] == PREFIX and len(words) == 4 and words[2] == origin:
                yield int(words[1].strip("{}")), words[3]
