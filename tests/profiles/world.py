"""A small world of facets folded from facts, to read persons from."""

from collections.abc import Collection
from typing import Final

from consent.memory_holds import MemoryHolds
from consent.rules import shipped_rules
from events.fact import Fact
from profiles.facet import Facet
from profiles.fold import fold
from profiles.person import PersonReader
from profiles.view import Loaded, PersonView
from tests.builders import DAY, NOW, PARTITIONS

LATER: Final = NOW + DAY


class World:
    """Facets folded from facts, readable as a source of facets; `rounds` counts the round trips."""

    def __init__(self, *facts: Fact, holds: MemoryHolds | None = None) -> None:
        self.facets: dict[str, Facet] = {}
        self.holds = holds or MemoryHolds(partitions=PARTITIONS)
        self.rounds = 0
        for each in facts:
            self.facets[each.identity] = fold(self.facets.get(each.identity, Facet()), each).facet

    async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
        self.rounds += 1
        held = await self.holds.of(identities)
        return {name: Loaded(self.facets.get(name, Facet()), held[name]) for name in identities}


async def seen(identity: str, *facts: Fact, at: int = LATER, holds: MemoryHolds | None = None) -> PersonView:
    return await PersonReader(World(*facts, holds=holds), rules=shipped_rules()).read(identity, now=at)
