"""Whom a candidate is for: the person of its fact, or the contact of a machine's owner, by way of relations."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from outreach.candidates import Candidate
from outreach.triggers import Triggers
from profiles.person import PersonReader, PersonTooLarge, PersonUnreadable
from profiles.view import PersonView, Relation

CONTACTS_MAX: Final = 3
"""Contacts of one owner who are addressed, the latest named first."""


@dataclass(frozen=True, slots=True)
class Addressing:
    """Reads relations and links; what it finds lends neither facts nor consent."""

    persons: PersonReader
    triggers: Triggers

    async def addressed(self, candidate: Candidate, *, now: int) -> list[Candidate]:
        """The candidate for each person it is for; for its own identity where nobody is found, so that this is told.

        PersonUnstable and errors of the store as they are: try again.
        """
        recipients = await self.recipients(candidate, now=now) or [candidate.about]
        return [await self.keyed(replace(candidate, identity=each), now=now) for each in recipients]

    async def keyed(self, candidate: Candidate, *, now: int) -> Candidate:
        """The candidate under the person its identity belongs to at present."""
        view = await self.view(candidate.identity, now=now)
        if view is None:
            return replace(candidate, person=candidate.identity, links="")
        return replace(candidate, person=view.canonical, links=view.person.link_hash)

    async def recipients(self, candidate: Candidate, *, now: int) -> list[str]:
        """The identities to address at present; none where relations lead nowhere."""
        trigger = self.triggers.by_id.get(candidate.trigger)
        if trigger is None or trigger.address == "person":
            return [candidate.about]
        contacts: list[str] = []
        for owner in await self._others(candidate.about, "owns", now):
            contacts += await self._others(owner, "contact_of", now) or [owner]
        return list(dict.fromkeys(contacts))[:CONTACTS_MAX]

    async def view(self, identity: str, *, now: int) -> PersonView | None:
        """The person; None where no reading again will help (too large, unreadable)."""
        try:
            return await self.persons.read(identity, now=now)
        except (PersonTooLarge, PersonUnreadable):
            return None

    async def _others(self, identity: str, kind: str, now: int) -> list[str]:
        view = await self.view(identity, now=now)
        return [] if view is None else _pointing_here(view.relations, kind)


def _pointing_here(relations: Iterable[Relation], kind: str) -> list[str]:
    found = [relation for relation in relations if relation.kind == kind and relation.inverse]
    return [relation.other for relation in sorted(found, key=lambda each: (each.at, each.key), reverse=True)]
