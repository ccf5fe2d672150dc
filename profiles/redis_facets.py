"""Facets and holds from Redis or Valkey: one pipeline per hop."""

from collections.abc import Callable, Collection

from consent.redis_holds import RedisHolds
from events.keys import facet_key
from events.partitioning import partition_of
from profiles.codec import decode_facet
from profiles.facet import Facet
from profiles.redis_faults import faults
from profiles.redis_library import Client
from profiles.redis_pipelining import Commands, Pipelining
from profiles.view import Loaded


class RedisFacets:
    """See `profiles.person.FacetSource`. `holds` adds its reads to the same pipeline."""

    def __init__(
        self,
        client: Client,
        holds: RedisHolds,
        *,
        partitions: int,
        decode: Callable[[bytes], Facet] = decode_facet,
    ) -> None:
        self._store = Pipelining(client)
        self._holds = holds
        self._partitions = partitions
        self._decode = decode

    async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
        """See `FacetSource`; errors are those of `profiles.store`."""
        names = list(identities)
        if not names:
            return {}

        def add_reads(commands: Commands) -> None:
            # Holds first. Hold and facet of an identity lie in one slot, so one server answers them in this order.
            self._holds.add_reads(commands, names)
            for name in names:
                commands.get(facet_key(partition_of(name.encode(), self._partitions), name))

        with faults():
            replies = await self._store.ask(add_reads)
        held = self._holds.parse(names, replies[: len(names)])
        blobs = zip(names, replies[len(names) :], strict=True)
        return {name: Loaded(Facet() if blob is None else self._decode(blob), held[name]) for name, blob in blobs}
