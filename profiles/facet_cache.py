"""Facets an owner of partitions keeps in memory, so that it need not load what it wrote itself.

What makes this safe is the compare on the checkpoint: a commit built on facets that are no longer true is refused, and
the owner then drops the whole partition.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from events.position import Checkpoint, Stream
from profiles.facet import ENTRY_BYTES, Facet
from profiles.store import ProfileStore


class Read(NamedTuple):
    """Facets, and the checkpoint that stood in the store while some of them were read there; none for all from memory.

    Who folds them must expect that very checkpoint. Else, should the store go back in time to the checkpoint a commit
    expects, that commit would carry facets from a future that is lost.
    """

    facets: dict[str, Facet]
    stood: tuple[Checkpoint | None, ...] = ()


@dataclass
class _Held:
    """Facets of one partition, the least recently used first, and what they weigh together."""

    facets: OrderedDict[str, Facet] = field(default_factory=OrderedDict)
    weight: int = 0

    def keep(self, identity: str, facet: Facet) -> None:
        before = self.facets.get(identity)
        self.facets[identity] = facet
        self.facets.move_to_end(identity)
        self.weight += weight_of(facet) - (0 if before is None else weight_of(before))

    def forget_one(self) -> None:
        _, facet = self.facets.popitem(last=False)
        self.weight -= weight_of(facet)


def weight_of(facet: Facet) -> int:
    """About how much memory a facet takes, in half kB: one for each event it knows, four for itself.

    Measured on facets of one to a thousand events; beyond the window of known events it is told too small.
    """
    return 4 + len(facet.recent) // ENTRY_BYTES


class FacetCache:
    """At most `facets_max` facets over all partitions, of at most `weight_max` (see `weight_of`: a quarter of a GB).

    The least recently used of the heaviest partition go first.
    """

    def __init__(self, store: ProfileStore, *, facets_max: int = 50_000, weight_max: int = 500_000) -> None:
        if facets_max < 1:
            raise ValueError("a cache of facets holds at least one")
        self._store = store
        self._facets_max = facets_max
        self._weight_max = weight_max
        self._held: dict[int, _Held] = {}

    def __len__(self) -> int:
        return sum(len(held.facets) for held in self._held.values())

    async def load(self, stream: Stream, identities: Collection[str]) -> Read:
        """The facets that exist, from memory where they are held. Errors are the store's own."""
        held = self._held.setdefault(stream.partition, _Held())
        found = {identity: held.facets[identity] for identity in identities if identity in held.facets}
        for identity in found:
            held.facets.move_to_end(identity)
        missing = [identity for identity in identities if identity not in found]
        if not missing:
            return Read(found)
        # Should the partition be dropped meanwhile, `held` is no longer looked at and what comes is not kept.
        standing = await self._store.load_standing(stream, missing)
        self._keep(held, standing.facets)
        return Read(found | standing.facets, (standing.checkpoint,))

    def put(self, partition: int, facets: Mapping[str, Facet]) -> None:
        """Hold facets that now stand in the store."""
        self._keep(self._held.setdefault(partition, _Held()), facets)

    def drop(self, partition: int) -> None:
        """Hold nothing of the partition any more: after a mismatch, an error, or when it was assigned again."""
        self._held.pop(partition, None)

    def _keep(self, held: _Held, facets: Mapping[str, Facet]) -> None:
        for identity, facet in facets.items():
            held.keep(identity, facet)
        while len(self) > self._facets_max or sum(each.weight for each in self._held.values()) > self._weight_max:
            max(self._held.values(), key=lambda each: each.weight).forget_one()
