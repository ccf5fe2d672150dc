"""A facet: what one identity's facts amount to.

Everything in it is built of *cells* (event time, event key, value) that only ever keep the newest, or the newest few.
Joining two such values does not depend on order or repetition, so a fact is folded, and two facets are merged, by
the same `join`. Averages and other derived figures are computed at read.
"""

from typing import Final, Generic, TypeVar

import msgspec

from consent.state import PurposeState

FACET_FORMAT: Final = 3
CELLS_MAX: Final = 16
LINES_MAX: Final = 24
"""Order lines kept per order."""
ENTRY_BYTES: Final = 12
"""Of one known event: its key and the digest of its payload."""
TEXTS_MAX: Final = 64
"""Texts kept per person, the newest: each may have thousands of characters."""

V = TypeVar("V")

Scalar = str | int | bool


class Cell(msgspec.Struct, Generic[V], frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A value with the time (ms) and key (8 bytes) of the event that said so."""

    at: int
    key: bytes
    value: V


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """An order line; amount in minor units of the order's currency."""

    item: str
    category: str | None
    quantity: int
    amount: int


class Placed(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """An order as it was placed."""

    amount: int
    currency: str
    lines: tuple[Line, ...] = ()
    channel: str | None = None


class Sum(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """Money in minor units."""

    amount: int
    currency: str


class Order(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """An order and its way; steps are named as in `service.delivery_step`."""

    placed: Cell[Placed] | None = None
    promised: Cell[int] | None = None
    handed_over: Cell[None] | None = None
    in_transit: Cell[None] | None = None
    delivered: Cell[None] | None = None
    failed: Cell[None] | None = None
    returned: Cell[None] | None = None
    cancelled: Cell[str | None] | None = None
    refunds: tuple[Cell[Sum], ...] = ()


class Payment(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A payment; the value is the sum and the order it was for."""

    paid: Cell[tuple[Sum, str | None]] | None = None


class Subscription(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A running service; active while it was subscribed later than cancelled."""

    subscribed: Cell[str] | None = None
    cancelled: Cell[str | None] | None = None


class Opened(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """What a case was opened with."""

    topics: tuple[str, ...]
    priority: str
    about: str | None
    channel: str | None


class Case(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A request or complaint. `replies` holds our answers only."""

    opened: Cell[Opened] | None = None
    complaint: Cell[Opened] | None = None
    replies: tuple[Cell[None], ...] = ()
    escalated: tuple[Cell[str | None], ...] = ()
    resolved: tuple[Cell[str | None], ...] = ()
    reopened: tuple[Cell[None], ...] = ()


class Started(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """How a contact began."""

    topics: tuple[str, ...]
    outbound: bool
    channel: str | None


class Ended(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """How a contact ended; `wait_ms` until somebody answered."""

    topics: tuple[str, ...]
    wait_ms: int | None
    to_human: bool
    reached: bool


class Contact(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A call, a chat, a visit to the desk."""

    started: Cell[Started] | None = None
    ended: Cell[Ended] | None = None


class Alert(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """An equipment alert: kind, component, severity."""

    raised: Cell[tuple[str, str | None, str]] | None = None


class Survey(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A survey: the kind it was sent with, and kind and score of the answer."""

    sent: Cell[str] | None = None
    answered: Cell[tuple[str, int]] | None = None


class Review(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A review: what it is about, and its stars."""

    posted: Cell[tuple[str | None, int]] | None = None


class Suggestion(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A suggestion of one service under one decision: presented, and the answer with its reason."""

    presented: Cell[str] | None = None
    answered: Cell[tuple[str, str, str | None]] | None = None


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """An outreach message: sent (trigger, service), claimed (go), answered."""

    sent: Cell[tuple[str, str | None]] | None = None
    claimed: Cell[bool] | None = None
    answered: Cell[str] | None = None


class Attribute(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A described attribute."""

    stated: Cell[Scalar] | None = None


class Words(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """Free text of a review, a survey answer, a complaint."""

    written: Cell[str] | None = None


class Touch(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """The last contacts of any kind: event type and channel."""

    points: tuple[Cell[tuple[str, str | None]], ...] = ()


class LinkAct(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A link said, or taken back (`strength` None), and when we came to know (ms)."""

    strength: str | None
    reason: str
    received_at: int


class Edge(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """This identity's half of a link to another: the acts, newest first by the time they took effect."""

    acts: tuple[Cell[LinkAct], ...] = ()


class Relation(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A typed tie that lends neither facts nor consent; the value says whether it has ended."""

    said: Cell[bool] | None = None


class ServiceSection(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """Purpose `service.fulfil`: what the contract needs. `latest_at` is the greatest event time folded."""

    latest_at: int = 0
    orders: dict[str, Order] = {}
    payments: dict[str, Payment] = {}
    subscriptions: dict[str, Subscription] = {}
    cases: dict[str, Case] = {}
    contacts: dict[str, Contact] = {}
    alerts: dict[str, Alert] = {}
    surveys: dict[str, Survey] = {}
    reviews: dict[str, Review] = {}
    suggestions: dict[str, Suggestion] = {}
    messages: dict[str, Message] = {}
    attributes: dict[str, Attribute] = {}
    touch: dict[str, Touch] = {}


class AttributeSection(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """Purposes `profile.build`, `data.sensitive` and `legal.records`: described attributes."""

    latest_at: int = 0
    attributes: dict[str, Attribute] = {}


class FeedbackSection(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """Purpose `feedback.analyse`: free text, the newest `TEXTS_MAX` of it."""

    latest_at: int = 0
    words: dict[str, Words] = {}


Section = ServiceSection | AttributeSection | FeedbackSection
Record = (
    Order
    | Payment
    | Subscription
    | Case
    | Contact
    | Alert
    | Survey
    | Review
    | Suggestion
    | Message
    | Attribute
    | Words
    | Touch
)


class Facet(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """The facts of one identity, folded: one section per purpose, beside consents, links and the window of known ids.

    `recent` holds `ENTRY_BYTES` (event key, payload digest) for each of the last facts, oldest first. Sections other
    than `service` and `legal` are None while their purpose is closed.
    """

    format: int = FACET_FORMAT
    recent: bytes = b""
    consents: dict[str, PurposeState] = {}
    edges: dict[str, Edge] = {}
    relations: dict[str, Relation] = {}
    service: ServiceSection = msgspec.field(default_factory=ServiceSection)
    legal: AttributeSection = msgspec.field(default_factory=AttributeSection)
    build: AttributeSection | None = None
    sensitive: AttributeSection | None = None
    feedback: FeedbackSection | None = None
