"""The permitted events: all that anything fitted, counted, thresholded or calibrated may be made from.

A fact is among them when the purpose is allowed for its person at the snapshot, and it holds only those fields whose
own purpose was open at the fact's position, has not been closed since, and is allowed at the snapshot. Filtering comes
before anything is counted or numbered, so whoever is not permitted leaves no trace in what is made.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from consent.door import Allowed, Refused
from consent.purposes import FIELD_PURPOSES, PROFILE, SENSITIVE, attribute_purpose, category_purpose
from consent.rules import Rules
from consent.state import opens
from events.acts import ConsentAct, Erased, Refolded
from events.fact import Fact
from events.identity import Described, Linked, Related, Unlinked
from events.position import Position
from events.shape import Body
from events.transactions import Purchased
from profiles.facet import Facet
from profiles.fold import fold
from profiles.links import component_of
from profiles.view import Loaded, PersonView, view_of

Facts = Callable[[], Iterator[tuple[Position, Fact]]]
"""Reads history from its beginning each time it is called, in offset order per partition."""

_OF_FIELDS: Final = (PROFILE, SENSITIVE, *sorted({*FIELD_PURPOSES.values()} - {PROFILE, SENSITIVE}))
"""The purposes that a field may need beside that of its event: by its content, or by the table of fields."""
_FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    event_type: {name: purpose for (of, name), purpose in FIELD_PURPOSES.items() if of == event_type}
    for event_type, _ in FIELD_PURPOSES
}
"""Event type -> field -> its own purpose."""


class Permitted(NamedTuple):
    """A fact of a permitted person (named by the canonical pseudonym), without the fields that are not permitted."""

    person: str
    position: Position
    fact: Fact


class Permit(NamedTuple):
    """Who may be used for a purpose at a snapshot.

    `person_of`: identity -> canonical pseudonym, of permitted people only. `fields`: canonical pseudonym -> field
    purposes allowed. `closed`: (identity, purpose) -> the position at which the purpose was last closed. `erased`:
    identity -> where its tombstone stands, and when that was received (ms).
    `allowed` counts people by what allows it, `refused` those left out by the reason: both are for a record apart and
    never go into anything fitted.
    """

    person_of: Mapping[str, str]
    fields: Mapping[str, frozenset[str]]
    closed: Mapping[tuple[str, str], Position]
    erased: Mapping[str, tuple[Position, int]]
    allowed: Mapping[str, int]
    refused: Mapping[str, int]


def permitted_facts(
    facts: Facts, *, purpose: str, at: int, rules: Rules, held: Mapping[str, frozenset[str]] | None = None
) -> Iterator[Permitted]:
    """The permitted events for the purpose at the snapshot `at` (ms), each once, in the order of history.

    `held` names, by identity, purposes that a withdrawal not yet on the log holds closed.
    """
    yield from permitted_by(facts, permit_at(facts, purpose=purpose, at=at, rules=rules, held=held or {}))


def permit_at(facts: Facts, *, purpose: str, at: int, rules: Rules, held: Mapping[str, frozenset[str]]) -> Permit:
    """Who may be used: consent acts and links replayed through the same fold and the same door as everywhere."""
    facets, closed, erased = _replayed(facts)
    person_of: dict[str, str] = {}
    fields: dict[str, frozenset[str]] = {}
    allowed, refused = Counter[str](), Counter[str]()
    for view in views_of(facets, held, at=at, rules=rules):
        answer = _answer(view, purpose, at)
        if isinstance(answer, Allowed):
            allowed[answer.because.basis] += 1
            person_of.update(dict.fromkeys(view.members, view.canonical))
            fields[view.canonical] = frozenset(field for field in _OF_FIELDS if _answer(view, field, at))
        else:
            refused[answer.because] += 1
    return Permit(person_of, fields, closed, erased, allowed, refused)


def permitted_by(facts: Facts, permit: Permit) -> Iterator[Permitted]:
    """The facts of permitted people, without repeats, acts, links and fields that are not permitted."""
    facets: dict[str, Facet] = {}
    seen: set[tuple[str, bytes]] = set()
    for position, fact in facts():
        person = permit.person_of.get(fact.identity)
        if person is None or _is_erased(position, fact, permit):
            continue
        if isinstance(fact.body, ConsentAct):
            facets[fact.identity] = fold(facets.get(fact.identity, _NOTHING), fact).facet
            continue
        if isinstance(fact.body, Linked | Unlinked | Related | Erased | Refolded) or _is_known(seen, fact):
            continue
        consents = facets.get(fact.identity, _NOTHING).consents
        usable = frozenset(
            field
            for field in permit.fields[person]
            if opens(consents, field, received_at=fact.received_at)
            and position > permit.closed.get((fact.identity, field), _BEFORE)
        )
        body = _redacted(fact.body, usable)
        if body is not None:
            yield Permitted(person, position, fact if body is fact.body else replace(fact, body=body))


_NOTHING: Final = Facet()
_BEFORE: Final = Position(-1, -1, -1)


def _is_known(seen: set[tuple[str, bytes]], fact: Fact) -> bool:
    entry = (fact.identity, fact.event_key)
    if entry in seen:
        return True
    seen.add(entry)
    return False


def _is_erased(position: Position, fact: Fact, permit: Permit) -> bool:
    """What lies before a tombstone, or was heard of before it, is nobody's any more."""
    place, received_at = permit.erased.get(fact.identity, (_BEFORE, -1))
    return position <= place or fact.received_at <= received_at


def _redacted(body: Body, usable: frozenset[str]) -> Body | None:
    """The body with the fields of usable purposes; those of contract and law are always kept."""
    match body:
        case Purchased():
            lines = tuple(line for line in body.lines if category_purpose(line.category) in usable)
            return body if len(lines) == len(body.lines) else body.model_copy(update={"lines": lines})
        case Described():
            kept = {name: value for name, value in body.attributes.items() if _is_usable(name, usable)}
            if len(kept) == len(body.attributes):
                return body
            return body.model_copy(update={"attributes": kept}) if kept else None
        case _:
            unusable = (name for name, purpose in _FIELDS.get(body.event_type, {}).items() if purpose not in usable)
            emptied = {name: None for name in unusable if getattr(body, name) is not None}
            return body.model_copy(update=emptied) if emptied else body


def _is_usable(attribute: str, usable: frozenset[str]) -> bool:
    needed = attribute_purpose(attribute)
    return needed in usable or needed not in _OF_FIELDS


_Replayed = tuple[dict[str, Facet], dict[tuple[str, str], Position], dict[str, tuple[Position, int]]]


def _replayed(facts: Facts) -> _Replayed:
    """Each identity's facet of acts, links and described attributes, where its purposes were closed, and it erased."""
    facets: dict[str, Facet] = {}
    closed: dict[tuple[str, str], Position] = {}
    erased: dict[str, tuple[Position, int]] = {}
    for position, fact in facts():
        known = facets.setdefault(fact.identity, _NOTHING)
        if not isinstance(fact.body, ConsentAct | Linked | Unlinked | Described | Erased):
            continue
        facet = facets[fact.identity] = fold(known, fact).facet
        if isinstance(fact.body, ConsentAct) and facet is not known:
            purpose = fact.body.purpose
            if not opens(facet.consents, purpose, received_at=fact.received_at):
                closed[fact.identity, purpose] = position
        if isinstance(fact.body, Erased) and facet is not known:
            erased[fact.identity] = (position, fact.received_at)
    return facets, closed, erased


def views_of(
    facets: Mapping[str, Facet], held: Mapping[str, frozenset[str]], *, at: int, rules: Rules
) -> Iterator[PersonView]:
    """Every person of the identities, each once, as of `at` (ms); `held` as for `permitted_facts`."""
    for group in _groups(facets):
        loaded = {
            identity: Loaded(facets.get(identity, _NOTHING), held.get(identity, frozenset())) for identity in group
        }
        graph = {identity: each.facet.edges for identity, each in loaded.items()}
        waiting = sorted(group)
        while waiting:
            person = component_of(waiting[0], graph)
            yield view_of(waiting[0], person, loaded, read_at=at, rules=rules)
            waiting = [identity for identity in waiting if identity not in person.members]


def _groups(facets: Mapping[str, Facet]) -> Iterator[set[str]]:
    """Identities that any link act ever named together, far ends without facts included."""
    named: dict[str, set[str]] = {identity: set() for identity in facets}
    for identity, facet in facets.items():
        for other in facet.edges:
            named[identity].add(other)
            named.setdefault(other, set()).add(identity)
    while named:
        group, waiting = set[str](), [next(iter(named))]
        while waiting:
            here = waiting.pop()
            group.add(here)
            waiting.extend(named.pop(here, set()) - group)
        yield group


def _answer(view: PersonView, purpose: str, at: int) -> Allowed | Refused:
    return view.permits(purpose, at=at, known_at=at)
