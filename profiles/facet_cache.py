"""Facets an owner of partitions keeps in memory, so that it need not load what it wrote itself.

What makes this safe is the compare on the checkpoint: a commit built on facets that are no longer true is refused, and
the owner then drops the whole partition.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from events.position import Checkpoint, Stream
from profiles.facet import Facet
from profiles.store import ProfileStore


class Read(NamedTuple):
    """Facets, and the checkpoint that stood in the store while some of them were read there; none for all from memory.

    Who folds them must expect that very checkpoint. Else, should the store go back in time to the checkpoint a commit
    expects, that commit would carry facets from a future that is lost.
    """

    facets: dict[str, Facet]
    stood: tuple[Checkpoint | None, ...] = ()


class FacetCache:
    """At most `facets_max` facets over all partitions; the least recently used of the largest partition go first."""

    def __init__(self, store: ProfileStore, *, facets_max: int = 50_000) -> None:
        if facets_max < 1:
            raise ValueError("a cache of facets holds at least one")
        self._store = store
        self._facets_max = facets_max
        self._held: dict[int, OrderedDict[str, Facet]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    async def load(self, stream: Stream, identities: Collection[str]) -> Read:
        """The facets that exist, from memory where they are held. Errors are the store's own."""
        held = self._held.setdefault(stream.partition, OrderedDict())
        found = {identity: held[identity] for identity in identities if identity in held}
        missing = [identity for identity in identities if identity not in found]
        if not missing:
            self._keep(held, found)
            return Read(found)
        # Should the partition be dropped meanwhile, `held` is no longer looked at and what comes is not kept.
        standing = await self._store.load_standing(stream, missing)
        found |= standing.facets
        self._keep(held, found)
        return Read(found, (standing.checkpoint,))

    def put(self, partition: int, facets: Mapping[str, Facet]) -> None:
        """Hold facets that now stand in the store."""
        self._keep(self._held.setdefault(partition, OrderedDict()), facets)

    def drop(self, partition: int) -> None:
        """Hold nothing of the partition any more: after a mismatch, an error, or when it was assigned again."""
        self._held.pop(partition, None)

    def _keep(self, held: OrderedDict[str, Facet], facets: Mapping[str, Facet]) -> None:
        for identity, facet in facets.items():
            held[identity] = facet
            held.move_to_end(identity)
        for _ in range(len(self) - self._facets_max):
            max(self._held.values(), key=len).popitem(last=False)
