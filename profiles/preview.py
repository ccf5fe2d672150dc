"""What a link would change, told before anybody makes it: a dry run over facets that were read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from msgspec.structs import replace

from consent.purposes import PURPOSES
from consent.rules import Rules
from profiles.facet import Cell, Edge, Facet, LinkAct
from profiles.joining import with_record
from profiles.links import MEMBERS_MAX, Apartness, Component, component_of
from profiles.view import Loaded, PersonView, view_of

_THE_LINK: Final = b"\xff" * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitChange:
    """Whether a purpose is allowed for each of the two as they are, and for the person both would be."""

    first: bool
    second: bool
    after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a verified link between two identities would do.

    `joins`: they would be one person; if not, `because` says why (`too_large`, or as for links that stand apart).
    `leaves`: identities that would no longer belong to either of the two. `permits`: purposes for which the first, the
    second and the person after have different answers. `records`: per kind of the service section, how many each has.
    """

    joins: bool
    because: Apartness | str | None
    members: tuple[str, ...]
    leaves: tuple[str, ...]
    permits: Mapping[str, PermitChange]
    records: Mapping[str, tuple[int, int, int]]


def what_would_change(one: str, other: str, loaded: Mapping[str, Loaded], *, at: int, rules: Rules) -> Change:
    """The effect of linking two identities, given all that reading either of them reads."""
    seen = partial(_seen, at=at, rules=rules)
    first, second = seen(one, loaded), seen(other, loaded)
    linked = {**loaded, one: _with_link(loaded[one], other, at), other: _with_link(loaded[other], one, at)}
    after = seen(one, linked)
    before = {*first.members, *second.members}
    joins = other in after.members and len(after.members) <= MEMBERS_MAX
    return Change(
        joins=joins,
        because=None if joins else _why_not(after.person, other),
        members=after.members,
        leaves=tuple(sorted(before - {*after.members, *seen(other, linked).members})),
        permits=_permits(first, second, after, at=at),
        records=_records(first, second, after),
    )


def _seen(identity: str, loaded: Mapping[str, Loaded], *, at: int, rules: Rules) -> PersonView:
    person = component_of(identity, {each: found.facet.edges for each, found in loaded.items()})
    return view_of(identity, person, loaded, read_at=at, rules=rules)


def _with_link(loaded: Loaded, other: str, at: int) -> Loaded:
    act = Cell(at, _THE_LINK, LinkAct("verified", "preview", at))
    facet: Facet = replace(loaded.facet, edges=with_record(loaded.facet.edges, other, Edge(acts=(act,))))
    return Loaded(facet, loaded.held)


def _why_not(person: Component, other: str) -> Apartness | str:
    return next((apart.because for apart in person.apart if apart.identity == other), "too_large")


def _permits(first: PersonView, second: PersonView, after: PersonView, *, at: int) -> dict[str, PermitChange]:
    changes = {}
    for purpose in PURPOSES:
        answers = [bool(view.permits(purpose, at=at, known_at=at)) for view in (first, second, after)]
        if len(set(answers)) > 1:
            changes[purpose] = PermitChange(first=answers[0], second=answers[1], after=answers[2])
    return changes


def _records(first: PersonView, second: PersonView, after: PersonView) -> dict[str, tuple[int, int, int]]:
    kinds = after.service.__struct_fields__[1:]
    sizes = {kind: tuple(len(getattr(view.service, kind)) for view in (first, second, after)) for kind in kinds}
    return {kind: (size[0], size[1], size[2]) for kind, size in sizes.items() if any(size)}
