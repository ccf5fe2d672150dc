"""People as the product knows them: facts folded, held purposes, and the view of any identity."""

from collections.abc import Iterable, Mapping

from consent.rules import shipped_rules
from events.fact import Fact
from profiles.facet import Facet
from profiles.fold import fold
from profiles.links import component_of
from profiles.view import Loaded, PersonView, view_of
from tests.builders import NOW

Held = Mapping[str, frozenset[str]]
"""Identity -> the purposes a withdrawal not yet folded holds closed."""


class People:
    """All identities that the facts are about or name; each view is made once."""

    def __init__(self, facts: Iterable[Fact], *, held: Held, at: int = NOW) -> None:
        self.facts = tuple(facts)
        self.facets: dict[str, Facet] = {}
        for each in self.facts:
            self.facets[each.identity] = fold(self.facets.get(each.identity, Facet()), each).facet
        self._held = held
        self._at = at
        self._views: dict[str, PersonView] = {}

    def view(self, identity: str) -> PersonView:
        """The person of an identity, known or not."""
        if identity not in self._views:
            self._views[identity] = self._read(identity)
        return self._views[identity]

    def _read(self, identity: str) -> PersonView:
        named = {identity, *self.facets, *(other for facet in self.facets.values() for other in facet.edges)}
        loaded = {each: Loaded(self.facets.get(each, Facet()), self._held.get(each, frozenset())) for each in named}
        graph = {each: known.facet.edges for each, known in loaded.items()}
        return view_of(identity, component_of(identity, graph), loaded, read_at=self._at, rules=shipped_rules())
