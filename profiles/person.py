"""Reading one person: hop by hop along the links, accepted only if no link changed meanwhile."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from consent.holds import Holds
from consent.rules import Rules
from events.partitioning import partition_of
from profiles.codec import FacetUnreadable
from profiles.facet import Edge, Facet
from profiles.links import MEMBERS_MAX, READ_MAX, Component, component_of, edges_fingerprint, still_to_read
from profiles.preview import Change, what_would_change
from profiles.store import ProfileStore
from profiles.view import Loaded, PersonView, view_of

TRIES: Final = 3


class PersonUnavailable(Exception):
    """The person cannot be read now; nothing may be decided about them, and nothing assumed."""


class PersonUnstable(PersonUnavailable):
    """The links changed in every one of the tries: ask again."""


class PersonTooLarge(PersonUnavailable):
    """More identities hang together than one person may have: a link is wrong, and somebody has to end it."""


class PersonUnreadable(PersonUnavailable):
    """Something stored about the person is not what this program can read."""


class FacetSource(Protocol):
    """Where facets and holds are read from."""

    async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
        """What is stored about each identity, empty where nothing is; in one round trip where the store allows it.

        Holds are read before facets: a hold is released once its fact is folded, so whoever misses the hold finds
        the fact. `profiles.codec.FacetUnreadable` for a bad blob; errors of the store as they are.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoreFacets:
    """Facets and holds through the stores' own contracts: one load per partition."""

    store: ProfileStore
    holds: Holds
    partitions: int

    async def load_many(self, identities: Collection[str]) -> dict[str, Loaded]:
        """See `FacetSource`."""
        held = await self.holds.of(identities)
        by_partition: dict[int, list[str]] = {}
        for identity in identities:
            by_partition.setdefault(partition_of(identity.encode(), self.partitions), []).append(identity)
        loaded: dict[str, Loaded] = {}
        for partition, names in by_partition.items():
            facets = await self.store.load(partition, names)
            loaded |= {name: Loaded(facets.get(name, Facet()), held[name]) for name in names}
        return loaded


@dataclass(frozen=True, slots=True)
class PersonReader:
    """Reads persons from a source of facets; what may be done with them goes by `rules`."""

    source: FacetSource
    rules: Rules

    async def read(self, identity: str, *, now: int) -> PersonView:
        """The person an identity (a pseudonym) belongs to, as of now (ms); PersonUnavailable says why there is none."""
        person, loaded = await self._settled(identity)
        return view_of(identity, person, loaded, read_at=now, rules=self.rules)

    async def preview(self, one: str, other: str, *, now: int) -> Change:
        """What a verified link between two identities would change; nothing is written."""
        first, second = await self._settled(one), await self._settled(other)
        return what_would_change(one, other, {**first[1], **second[1]}, at=now, rules=self.rules)

    async def _settled(self, identity: str) -> tuple[Component, dict[str, Loaded]]:
        try:
            for _ in range(TRIES):
                loaded = await self._followed(identity)
                # One identity is read at one moment. Several are read again, to see that all links stood at once.
                if len(loaded) == 1:
                    return _person(identity, loaded), loaded
                again = await self.source.load_many(sorted(loaded))
                if edges_fingerprint(_graph(again)) == edges_fingerprint(_graph(loaded)):
                    return _person(identity, again), again
        except FacetUnreadable as error:
            raise PersonUnreadable("what is stored about the person cannot be read") from error
        raise PersonUnstable("the person's links kept changing while they were read")

    async def _followed(self, identity: str) -> dict[str, Loaded]:
        loaded: dict[str, Loaded] = {}
        while missing := still_to_read(identity, _graph(loaded)):
            if len(loaded) + len(missing) > READ_MAX:
                raise PersonTooLarge(f"more than {READ_MAX} identities hang together")
            loaded |= await self.source.load_many(sorted(missing))
        return loaded


def _graph(loaded: dict[str, Loaded]) -> dict[str, dict[str, Edge]]:
    return {identity: each.facet.edges for identity, each in loaded.items()}


def _person(identity: str, loaded: dict[str, Loaded]) -> Component:
    person = component_of(identity, _graph(loaded))
    if len(person.members) > MEMBERS_MAX:
        raise PersonTooLarge(f"more than {MEMBERS_MAX} identities are linked to one person")
    return person
