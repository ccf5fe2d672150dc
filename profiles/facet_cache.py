"""Facets an owner of partitions keeps in memory, packed, so that it need not load what it wrote itself.

What makes this safe is the compare on the checkpoint: a commit built on facets that are no longer true is refused, and
the owner then drops the whole partition.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from events.position import Checkpoint, Stream
from profiles.facet import Facet
from profiles.packed import Packed, pack
from profiles.store import ProfileStore


class Read(NamedTuple):
    """Facets, and the checkpoint that stood in the store while some of them were read there; none for all from memory.

    Who folds them must expect that very checkpoint. Else, should the store go back in time to the checkpoint a commit
    expects, that commit would carry facets from a future that is lost.
    """

    facets: Mapping[str, Facet | Packed]
    stood: tuple[Checkpoint | None, ...] = ()


APART: Final = 256
"""Bytes a facet that is held takes beside its own: its key, its place."""


@dataclass
class _Held:
    """Packed facets of one partition, the least recently used first, and what they weigh together."""

    packed: OrderedDict[str, Packed] = field(default_factory=OrderedDict)
    weight: int = 0

    def keep(self, identity: str, packed: Packed) -> None:
        before = self.packed.get(identity)
        self.packed[identity] = packed
        self.packed.move_to_end(identity)
        self.weight += len(packed) + APART if before is None else len(packed) - len(before)

    def forget_one(self) -> None:
        _, packed = self.packed.popitem(last=False)
        self.weight -= len(packed) + APART


class FacetCache:
    """At most `facets_max` facets over all partitions, of at most `bytes_max` together.

    The least recently used of the heaviest partition go first.
    """

    def __init__(self, store: ProfileStore, *, facets_max: int = 200_000, bytes_max: int = 256 * 2**20) -> None:
        if facets_max < 1:
            raise ValueError("a cache of facets holds at least one")
        self._store = store
        self._facets_max = facets_max
        self._bytes_max = bytes_max
        self._held: dict[int, _Held] = {}

    def __len__(self) -> int:
        return sum(len(held.packed) for held in self._held.values())

    async def load(self, stream: Stream, identities: Collection[str]) -> Read:
        """The facets that exist, from memory where they are held. Errors are the store's own."""
        held = self._held.setdefault(stream.partition, _Held())
        found = {identity: held.packed[identity] for identity in identities if identity in held.packed}
        for identity in found:
            held.packed.move_to_end(identity)
        missing = [identity for identity in identities if identity not in found]
        if not missing:
            return Read(found)
        # Should the partition be dropped meanwhile, `held` is no longer looked at and what comes is not kept.
        standing = await self._store.load_standing(stream, missing)
        self._keep(held, standing.facets)
        return Read({**found, **standing.facets}, (standing.checkpoint,))

    def put(self, partition: int, facets: Mapping[str, Facet | Packed]) -> None:
        """Hold facets that now stand in the store."""
        self._keep(self._held.setdefault(partition, _Held()), facets)

    def drop(self, partition: int) -> None:
        """Hold nothing of the partition any more: after a mismatch, an error, or when it was assigned again."""
        self._held.pop(partition, None)

    def _keep(self, held: _Held, facets: Mapping[str, Facet | Packed]) -> None:
        for identity, facet in facets.items():
            held.keep(identity, pack(facet))
        while len(self) > self._facets_max or sum(each.weight for each in self._held.values()) > self._bytes_max:
            max(self._held.values(), key=lambda each: each.weight).forget_one()
