"""The fold: one fact into one facet. All domain logic of the event process is this pure function."""

from collections.abc import Callable, Mapping, Sequence
from operator import gt
from typing import Any, Final, Literal, NamedTuple

from msgspec.structs import replace

from consent.purposes import ALWAYS_OPEN, FEEDBACK, LEGAL, PROFILE, PURPOSES, SENSITIVE, SERVICE
from consent.state import NEVER_ASKED, opens, with_act
from events.acts import ConsentAct, Erased, Refolded
from events.fact import Fact
from events.identity import Linked, Related, Unlinked
from events.shape import Body
from events.vocabulary import BODIES
from profiles.codec import FacetUnreadable
from profiles.deltas import Delta, deltas
from profiles.facet import (
    ENTRY_BYTES,
    AttributeSection,
    Cell,
    Edge,
    Facet,
    FeedbackSection,
    LinkAct,
    Relation,
    Section,
    ServiceSection,
)
from profiles.joining import bounded, horizon, trim, with_record
from profiles.rights import is_forgotten, replacement, tombstone

KNOWN_MAX: Final = 1024
"""Events remembered per facet: a repeat among them counts once."""
RECORDS_MAX: Final = 2000
"""Records a facet may hold; a fact that would add one more is set aside as `full`, one about a held record is not.

Cases, suggestions and messages are counted apart: they keep us from offering and writing, so a long list of orders
must not crowd them out.
"""
EDGES_MAX: Final = 256
"""Links, and relations, a facet may hold; counted apart, so that links take no room from what happened."""
_SIZES_MAX: Final = (RECORDS_MAX, RECORDS_MAX, EDGES_MAX, EDGES_MAX)

_FEW: Final = RECORDS_MAX // 40
"""Events that cannot fill a facet: the richest, a description, adds 32 attributes."""

_ACTS: Final = frozenset(name for name, body in BODIES.items() if issubclass(body, ConsentAct))

Fate = Literal["applied", "repeated", "conflict", "full", "unknown_purpose"]

_SECTIONS: Final[dict[str, tuple[str, type[Section]]]] = {
    SERVICE: ("service", ServiceSection),
    LEGAL: ("legal", AttributeSection),
    PROFILE: ("build", AttributeSection),
    SENSITIVE: ("sensitive", AttributeSection),
    FEEDBACK: ("feedback", FeedbackSection),
}
"""Purpose -> the facet's section for it."""


Changes = Mapping[str, Any]
"""Fields of a facet as they are once a fact is known; the others stay."""


class Folded(NamedTuple):
    """The facet after a fact, and what became of the fact; all but `applied` and `repeated` are dead letters."""

    facet: Facet
    fate: Fate


def fold(facet: Facet, fact: Fact) -> Folded:
    """The facet once the fact is known; unchanged when the fact is known already or cannot be held."""
    known = _digest_of(facet.recent, fact.event_key)
    if known is not None:
        return Folded(facet, "repeated" if known == fact.digest else "conflict")
    if facet.legal.attributes and is_forgotten(facet, fact):
        return Folded(facet, "repeated")
    if fact.type in _CHECKED and (answer := _CHECKED[fact.type](facet, fact, fact.body)) is not None:
        return answer
    changes = _FOLDED_APART.get(fact.type, _with_deltas)(facet, fact, fact.body)
    folded = replace(facet, recent=_remembered(facet.recent, fact), **changes)
    # What restricts finds room: consents and legal attributes are few by name and not counted, and the end of a link
    # is about a link that is held, or about one that is refused as well.
    if _outgrows(facet, folded):
        return Folded(facet, "full")
    return Folded(folded, "applied")


def _remembered(recent: bytes, fact: Fact) -> bytes:
    return (recent + fact.event_key + fact.digest)[-KNOWN_MAX * ENTRY_BYTES :]


def _digest_of(recent: bytes, event_key: bytes) -> bytes | None:
    at = recent.find(event_key)
    while at != -1 and at % ENTRY_BYTES:
        at = recent.find(event_key, at + 1)
    return None if at == -1 else recent[at + 8 : at + ENTRY_BYTES]


def _outgrows(before: Facet, after: Facet) -> bool:
    if len(after.recent) <= _FEW * ENTRY_BYTES:
        return False
    sizes = _sizes(after)
    if not any(map(gt, sizes, _SIZES_MAX)):
        return False
    rows = zip(_sizes(before), sizes, _SIZES_MAX, strict=True)
    return any(size > most and size > was for was, size, most in rows)


def _sizes(facet: Facet) -> tuple[int, int, int, int]:
    """Records, restraining records, links, relations. Legal attributes and texts are bounded in other ways."""
    held = facet.service
    restraining = len(held.cases) + len(held.suggestions) + len(held.messages)
    # The two kinds that are left, touch and attributes, are few by name.
    records = len(held.orders) + len(held.payments) + len(held.subscriptions) + len(held.contacts)
    records += len(held.alerts) + len(held.surveys) + len(held.reviews)
    for section in (facet.build, facet.sensitive):
        if section is not None:
            records += len(section.attributes)
    return records, restraining, len(facet.edges), len(facet.relations)


def _without_purpose(facet: Facet, _fact: Fact, act: ConsentAct) -> Folded | None:
    return None if act.purpose in PURPOSES else Folded(facet, "unknown_purpose")


def _erased(_facet: Facet, fact: Fact, _body: Erased) -> Folded:
    return Folded(tombstone(fact), "applied")


def _refolded(facet: Facet, fact: Fact, body: Refolded) -> Folded:
    try:
        anew = replacement(facet, body)
    except FacetUnreadable:
        return Folded(facet, "conflict")
    if anew is None:  # made without a fact that came meanwhile: whoever made it looks, and makes another
        return Folded(facet, "repeated")
    return Folded(replace(anew, recent=_remembered(anew.recent, fact)), "applied")


def _with_act(facet: Facet, fact: Fact, act: ConsentAct) -> Changes:
    state = facet.consents.get(act.purpose, NEVER_ASKED)
    consents = {**facet.consents, act.purpose: with_act(state, fact, act)}
    if act.purpose not in _SECTIONS or opens(consents, act.purpose, received_at=fact.received_at):
        return {"consents": consents}
    # The purpose is closed: what was kept for it goes at once.
    return {"consents": consents, _SECTIONS[act.purpose][0]: None}


def _with_link(facet: Facet, fact: Fact, body: Linked | Unlinked) -> Changes:
    strength = body.strength if isinstance(body, Linked) else None
    act = Cell(fact.effective_at, fact.event_key, LinkAct(strength, body.reason, fact.received_at))
    return {"edges": with_record(facet.edges, body.other, Edge(acts=(act,)))}


def _with_relation(facet: Facet, fact: Fact, body: Related) -> Changes:
    name = f"{body.kind} {'from' if body.inverse else 'to'} {body.other}"
    said = Relation(said=Cell(fact.effective_at, fact.event_key, body.ended))
    return {"relations": with_record(facet.relations, name, said)}


def _with_deltas(facet: Facet, fact: Fact, _body: Body) -> Changes:
    added = deltas(fact)
    sections: dict[str, Section] = {}
    for purpose in dict.fromkeys(delta.purpose for delta in added):
        if purpose not in ALWAYS_OPEN and not opens(facet.consents, purpose, received_at=fact.received_at):
            continue
        name, make = _SECTIONS[purpose]
        section: Section = getattr(facet, name) or make()
        sections[name] = _with_added(section, [each for each in added if each.purpose == purpose], fact.occurred_at)
    return sections


def _with_added(section: Section, added: Sequence[Delta], occurred_at: int) -> Section:
    latest_at = section.latest_at
    if occurred_at < latest_at and occurred_at < horizon(latest_at):
        return section
    changed: dict[str, Any] = {}
    for delta in added:
        records = changed.get(delta.kind)
        if records is None:
            records = getattr(section, delta.kind)
        changed[delta.kind] = with_record(records, delta.id, delta.record)
    if occurred_at <= latest_at:
        return bounded(replace(section, **changed))
    section = bounded(replace(section, latest_at=occurred_at, **changed))
    return trim(section) if horizon(occurred_at) > horizon(latest_at) else section


_FOLDED_APART: Final[Mapping[str, Callable[[Facet, Fact, Any], Changes]]] = {
    **dict.fromkeys(_ACTS, _with_act),
    Linked.event_type: _with_link,
    Unlinked.event_type: _with_link,
    Related.event_type: _with_relation,
}
"""Types that no section keeps; all others are deltas."""

_CHECKED: Final[Mapping[str, Callable[[Facet, Fact, Any], Folded | None]]] = {
    **dict.fromkeys(_ACTS, _without_purpose),
    Erased.event_type: _erased,
    Refolded.event_type: _refolded,
}
"""Types with a fate of their own, and what decides on it; None: folded like the others."""
