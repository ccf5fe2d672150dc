"""Service: contacts, cases, visits, deliveries, equipment alerts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.shape import Body, Code, Natural, RecordId, Time

Topics = Annotated[tuple[Code, ...], Field(max_length=16)]


class ContactStarted(Body):
    """Someone called, wrote or came; `outbound` when we did."""

    event_type: ClassVar[str] = "service.contact_started"

    contact_id: RecordId
    topics: Topics = ()
    outbound: bool = False


class ContactEnded(Body):
    """A contact ended; `wait_ms` is the time until somebody answered."""

    event_type: ClassVar[str] = "service.contact_ended"

    contact_id: RecordId
    wait_ms: Natural | None = None
    to_human: bool = False
    reached: bool = True
    topics: Topics = ()


class CaseOpened(Body):
    """A request that needs work; `about` names the order, loan or machine it concerns."""

    event_type: ClassVar[str] = "service.case_opened"

    case_id: RecordId
    topics: Topics = ()
    priority: Literal["low", "normal", "high"] = "normal"
    about: RecordId | None = None


class CaseReplied(Body):
    """Somebody answered in a case; only a reply of ours stops the first-answer clock."""

    event_type: ClassVar[str] = "service.case_replied"

    case_id: RecordId
    by: Literal["us", "customer"] = "us"


class CaseEscalated(Body):
    """A case went up a level."""

    event_type: ClassVar[str] = "service.case_escalated"

    case_id: RecordId
    to: Code | None = None


class CaseResolved(Body):
    """A case was solved."""

    event_type: ClassVar[str] = "service.case_resolved"

    case_id: RecordId
    resolution: Code | None = None


class CaseReopened(Body):
    """A solved case turned out not to be."""

    event_type: ClassVar[str] = "service.case_reopened"

    case_id: RecordId


class Visited(Body):
    """Someone arrived at a shop, a branch, a site."""

    event_type: ClassVar[str] = "service.visited"

    place: Code


class DeliveryStep(Body):
    """An order moved on its way."""

    event_type: ClassVar[str] = "service.delivery_step"

    order_id: RecordId
    step: Literal["handed_over", "in_transit", "delivered", "failed", "returned"]
    promised_at: Time | None = None


class AlertRaised(Body):
    """A machine reported something; the identity is the machine's."""

    event_type: ClassVar[str] = "service.alert_raised"

    alert_id: RecordId
    kind: Code
    component: Code | None = None
    severity: Literal["info", "warning", "critical"] = "warning"
