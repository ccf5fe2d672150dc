"""All event types there are, and who may say what at which door."""

from typing import Final

from events import acts, feedback, identity, outreach, service, transactions
from events.shape import Body

BODIES: Final[dict[str, type[Body]]] = {
    body.event_type: body
    for body in (
        transactions.Purchased,
        transactions.Refunded,
        transactions.Paid,
        transactions.Subscribed,
        transactions.Cancelled,
        service.ContactStarted,
        service.ContactEnded,
        service.CaseOpened,
        service.CaseReplied,
        service.CaseEscalated,
        service.CaseResolved,
        service.CaseReopened,
        service.Visited,
        service.DeliveryStep,
        service.AlertRaised,
        feedback.SurveySent,
        feedback.SurveyAnswered,
        feedback.ReviewPosted,
        feedback.ComplaintFiled,
        feedback.SuggestionPresented,
        feedback.SuggestionAnswered,
        outreach.OutreachSent,
        outreach.OutreachClaimed,
        outreach.OutreachAnswered,
        identity.Linked,
        identity.Unlinked,
        identity.Related,
        identity.Described,
        acts.ConsentRequested,
        acts.ConsentDeferred,
        acts.ConsentGiven,
        acts.ConsentRenewed,
        acts.ConsentRefused,
        acts.ConsentWithdrawn,
        acts.ConsentRevoked,
        acts.ConsentInvalidated,
        acts.Erased,
        acts.Refolded,
    )
}
"""Event type -> the model of its body. A Kafka record, a JSON Schema and a fold exist for each."""

RESERVED: Final = frozenset({"rights.erased", "rights.refolded"})
"""Types only the system itself writes; no door admits them from outside."""

PRIVILEGED: Final = frozenset(
    {
        "identity.linked",
        "identity.unlinked",
        *(name for name in BODIES if name.startswith(("consent.", "outreach."))),
    }
)
"""Types that change what may be done: only from a source the door itself has established."""

TWO_SIDED: Final = frozenset({"identity.linked", "identity.unlinked", "identity.related"})
"""Types admission splits into two halves, one per endpoint."""
