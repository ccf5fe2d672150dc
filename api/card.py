"""The card of a person: what an agent sees before picking up the call, as far as the door allows, with reasons.

Nothing in it names an identity: how many there are and of what kind is all it says.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from api.standing import Standing, standing_of, standings
from consent.door import Refused
from consent.purposes import FEEDBACK, LEGAL, PROFILE, SENSITIVE, SERVICE
from events.shape import Shape, format_time
from profiles.cases import first_opened, is_open, is_open_complaint
from profiles.facet import AttributeSection, Order, ServiceSection
from profiles.rights import TOMBSTONE
from profiles.traits.table import TRAITS, traits_of
from profiles.traits.trait import TraitValue
from profiles.view import PersonView

LATEST: Final = 5
_STEPS: Final = ("handed_over", "in_transit", "failed", "returned", "delivered")


class Identities(Shape):
    """How many verified identities the person has, by namespace, and why others are kept apart, by reason."""

    count: int
    kinds: dict[str, int]
    apart: dict[str, int]


class TraitCard(Shape):
    """A trait: its value with sample, window and the newest events it rests on, or why it is withheld."""

    purpose: str
    value: Any = None
    sample_size: int | None = None
    window_days: int | None = None
    window: tuple[str, str] | None = None
    evidence: tuple[str, ...] = ()
    withheld: Standing | None = None


class CaseCard(Shape):
    """A case that waits for us."""

    id: str
    opened_at: str
    complaint: bool
    topics: tuple[str, ...]
    escalated: bool


class OrderCard(Shape):
    """An order: amount in minor units, and the last step of its way."""

    id: str
    at: str
    amount: int
    currency: str
    step: str


class ContactCard(Shape):
    """A contact: why, over which channel, how long the person waited (ms), whether a human took over."""

    at: str
    channel: str | None
    topics: tuple[str, ...]
    wait_ms: int | None
    to_human: bool | None


class Brief(Shape):
    """What the contract needs at hand: open cases, the latest orders and contacts, running services."""

    open_cases: tuple[CaseCard, ...]
    orders: tuple[OrderCard, ...]
    contacts: tuple[ContactCard, ...]
    subscriptions: tuple[str, ...]


class Card(Shape):
    """One person as of `as_of`; `sections` says for each kind of data whether it may be shown, and why."""

    ref: str
    as_of: str
    known: bool
    identities: Identities
    consents: dict[str, Standing]
    sections: dict[str, Standing]
    restraints: dict[str, int]
    service: Brief | None
    attributes: dict[str, str | int | bool]
    traits: dict[str, TraitCard]


def card_of(view: PersonView, *, ref: str, now: int) -> Card:
    """The card of a person at now (ms)."""
    sections = {
        purpose: view.permits(purpose, at=now, known_at=now)
        for purpose in (SERVICE, LEGAL, PROFILE, SENSITIVE, FEEDBACK)
    }
    return Card(
        ref=ref,
        as_of=format_time(now),
        known=view.service.latest_at > 0 or view.legal.latest_at > 0 or len(view.members) > 1,
        identities=_identities(view),
        consents=standings(view, at=now, known_at=now),
        sections={purpose: standing_of(answer) for purpose, answer in sections.items()},
        restraints=_restraints(view),
        service=_brief(view.service) if sections[SERVICE] else None,
        attributes=_attributes(view, now=now) if sections[SERVICE] else {},
        traits=_traits(view, now=now),
    )


def _identities(view: PersonView) -> Identities:
    return Identities(
        count=len(view.members),
        kinds=_counted(member.partition(":")[0] for member in view.members),
        apart=_counted(apart.because for apart in view.person.apart),
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _restraints(view: PersonView) -> dict[str, int]:
    """What may only ever remove a suggestion or a message, counted."""
    deny = view.deny_only
    counts = {"open_complaints": len(deny.open_complaints), "told": len(deny.told), "declined": len(deny.declined)}
    return {**counts, **dict.fromkeys(sorted(deny.flags), 1)}


def _brief(service: ServiceSection) -> Brief:
    running = {
        subscription.subscribed.value
        for subscription in service.subscriptions.values()
        if subscription.subscribed is not None
        and (subscription.cancelled is None or subscription.subscribed.at > subscription.cancelled.at)
    }
    return Brief(
        open_cases=tuple(_open_cases(service)),
        orders=tuple(_latest_orders(service)),
        contacts=tuple(_latest_contacts(service)),
        subscriptions=tuple(sorted(running)),
    )


def _open_cases(service: ServiceSection) -> list[CaseCard]:
    starts = {case_id: first_opened(case) for case_id, case in service.cases.items() if is_open(case)}
    known = [(start.at, case_id, start.value.topics) for case_id, start in starts.items() if start is not None]
    return [
        CaseCard(
            id=case_id,
            opened_at=format_time(at),
            complaint=is_open_complaint(service.cases[case_id]),
            topics=topics,
            escalated=bool(service.cases[case_id].escalated),
        )
        for at, case_id, topics in sorted(known)
    ]


def _latest_orders(service: ServiceSection) -> list[OrderCard]:
    placed = [(order.placed, order_id, order) for order_id, order in service.orders.items() if order.placed is not None]
    placed.sort(key=lambda found: (-found[0].at, found[1]))
    return [
        OrderCard(
            id=order_id,
            at=format_time(cell.at),
            amount=cell.value.amount,
            currency=cell.value.currency,
            step=_step(order),
        )
        for cell, order_id, order in placed[:LATEST]
    ]


def _step(order: Order) -> str:
    if order.cancelled is not None:
        return "cancelled"
    taken = [(cell.at, rank, name) for rank, name in enumerate(_STEPS) if (cell := getattr(order, name)) is not None]
    return max(taken)[2] if taken else "placed"


def _latest_contacts(service: ServiceSection) -> list[ContactCard]:
    found = []
    for contact in service.contacts.values():
        started, ended = contact.started, contact.ended
        at = started.at if started is not None else ended.at if ended is not None else 0
        topics = (started.value.topics if started else ()) + (ended.value.topics if ended else ())
        card = ContactCard(
            at=format_time(at),
            channel=None if started is None else started.value.channel,
            topics=tuple(dict.fromkeys(topics)),
            wait_ms=None if ended is None else ended.value.wait_ms,
            to_human=None if ended is None else ended.value.to_human,
        )
        found.append((at, card))
    return [card for _, card in sorted(found, key=lambda pair: -pair[0])[:LATEST]]


def _attributes(view: PersonView, *, now: int) -> dict[str, str | int | bool]:
    """What was described and may be shown; the more special section wins over the more general one."""
    build = view.attributes(PROFILE, at=now, known_at=now).section
    sensitive = view.attributes(SENSITIVE, at=now, known_at=now).section
    sections = (view.service, build, sensitive, view.legal)
    shown = {name: value for section in sections if section is not None for name, value in _stated(section).items()}
    shown.pop(TOMBSTONE, None)  # nobody at a desk is told of an erasure
    return dict(sorted(shown.items()))


def _stated(section: AttributeSection | ServiceSection) -> Mapping[str, str | int | bool]:
    return {name: said.stated.value for name, said in section.attributes.items() if said.stated is not None}


def _traits(view: PersonView, *, now: int) -> dict[str, TraitCard]:
    return {name: _trait(name, found) for name, found in traits_of(view, at=now, known_at=now).items()}


def _trait(name: str, found: TraitValue | Refused) -> TraitCard:
    purpose = TRAITS[name].purpose
    if isinstance(found, Refused):
        return TraitCard(purpose=purpose, withheld=standing_of(found))
    since, until = found.window
    return TraitCard(
        purpose=purpose,
        value=found.value,
        sample_size=found.sample_size,
        window_days=TRAITS[name].window_days,
        window=(format_time(max(since, 0)), format_time(until)),
        evidence=found.evidence,
    )
