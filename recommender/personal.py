"""What the recommender may know of a person on personal grounds, and what they have taken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from consent.purposes import SENSITIVE, category_purpose
from profiles.facet import AttributeSection, Cell, Order, Record, ServiceSection, Subscription, Suggestion
from recommender.canonical import content_hash
from recommender.catalogue import Catalogue

_TAKING_KINDS: Final = ("orders", "subscriptions", "suggestions")
"""Kinds of records by which a service may be taken."""
_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")


class Ground(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A purpose that allowed something: its legal basis and the event keys (hex) of the acts relied on."""

    basis: str
    evidence: tuple[str, ...] = ()
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalFacts:
    """The sections that `suggest.personal` opens, and the grounds on which they are open.

    Without the ground `data.sensitive` there are no sensitive attributes and no order lines of a sensitive category
    in it, whatever was handed in.
    """

    service: ServiceSection
    build: AttributeSection | None = None
    sensitive: AttributeSection | None = None
    grounds: tuple[Ground, ...] = ()
    purposes: frozenset[str] = field(init=False)
    """The purposes that are allowed."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "purposes", frozenset(ground.purpose for ground in self.grounds))
        if self.has_sensitive:
            return
        object.__setattr__(self, "sensitive", None)
        object.__setattr__(self, "service", _without_sensitive_lines(self.service))

    @property
    def has_sensitive(self) -> bool:
        """Tell whether sensitive facts may be looked at."""
        return SENSITIVE in self.purposes

    @property
    def region(self) -> str | None:
        """Where they said they live; kept under `profile.build`."""
        said = None if self.build is None else self.build.attributes.get("region")
        stated = None if said is None else said.stated
        return stated.value if stated is not None and isinstance(stated.value, str) else None

    @property
    def hash(self) -> str:
        """Changes with anything in it; the order in which records came does not matter."""
        grounds = sorted((ground.purpose, ground.basis, ground.evidence) for ground in self.grounds)
        sections = (self.service, self.build, self.sensitive)
        return content_hash(*(_encoder.encode(part) for part in (*sections, grounds)))


class Taking(NamedTuple):
    """A service was taken: when (ms), by which event; `stands` is False once it was ended again."""

    service: str
    at: int
    key: bytes
    stands: bool = True

    @property
    def moment(self) -> tuple[int, bytes]:
        """What orders takings."""
        return self.at, self.key


Owned = Mapping[str, Sequence[Taking]]
"""Service -> its takings that stand, at least one."""


def takings(records: Mapping[str, Mapping[str, Record]], catalogue: Catalogue) -> Iterator[Taking]:
    """Every taking in records by kind and id: of a whole section, or of the one record that a fact added."""
    for kind, take in zip(_TAKING_KINDS, (_by_order, _by_subscription, _by_answer), strict=True):
        for record in records.get(kind, {}).values():
            yield from take(record, catalogue)


def standing_takings(section: ServiceSection, catalogue: Catalogue) -> Owned:
    """All that was taken and not ended again, by service."""
    found: dict[str, list[Taking]] = {}
    for taking in takings({kind: getattr(section, kind) for kind in _TAKING_KINDS}, catalogue):
        if taking.stands:
            found.setdefault(taking.service, []).append(taking)
    return found


def latest(found: Owned) -> dict[str, Taking]:
    """Service -> its latest taking."""
    return {
        service: each[0] if len(each) == 1 else max(each, key=lambda taking: taking.moment)
        for service, each in found.items()
    }


def holdings(service: ServiceSection, catalogue: Catalogue) -> dict[str, Taking]:
    """Service -> its latest taking that stands."""
    return latest(standing_takings(service, catalogue))


def _by_order(order: Any, catalogue: Catalogue) -> Iterator[Taking]:
    if not isinstance(order, Order) or order.placed is None:
        return
    placed, stands, takers = order.placed, order.cancelled is None, catalogue.takers
    for line in placed.value.lines:
        by_item, by_category = takers.get(("item", line.item), ()), takers.get(("category", line.category or ""), ())
        for service in dict.fromkeys(by_item + by_category):
            yield Taking(service, placed.at, placed.key, stands)


def _by_subscription(subscription: Any, catalogue: Catalogue) -> Iterator[Taking]:
    if not isinstance(subscription, Subscription) or subscription.subscribed is None:
        return
    begun, ended = subscription.subscribed, subscription.cancelled
    stands = ended is None or (begun.at, begun.key) > (ended.at, ended.key)
    for service in catalogue.takers.get(("subscription", begun.value), ()):
        yield _taking(service, begun, stands=stands)


def _by_answer(suggestion: Any, catalogue: Catalogue) -> Iterator[Taking]:
    if not isinstance(suggestion, Suggestion) or suggestion.answered is None:
        return
    service, answer, _ = suggestion.answered.value
    if answer == "accepted" and service in catalogue.by_id:
        yield _taking(service, suggestion.answered, stands=True)


def _taking(service: str, cell: Cell[Any], *, stands: bool) -> Taking:
    return Taking(service, cell.at, cell.key, stands)


def _without_sensitive_lines(service: ServiceSection) -> ServiceSection:
    orders = {order_id: _redacted(order) for order_id, order in service.orders.items()}
    if all(orders[order_id] is order for order_id, order in service.orders.items()):
        return service
    return replace(service, orders=orders)


def _redacted(order: Order) -> Order:
    if order.placed is None:
        return order
    placed = order.placed.value
    lines = tuple(line for line in placed.lines if category_purpose(line.category) != SENSITIVE)
    if len(lines) == len(placed.lines):
        return order
    return replace(order, placed=replace(order.placed, value=replace(placed, lines=lines)))
