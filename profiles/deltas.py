"""What each type of fact adds to a facet: a table from body to deltas, each under the purpose it serves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from consent.purposes import FEEDBACK, SERVICE, attribute_purpose
from events import feedback, identity, outreach, service, transactions
from events.fact import Fact
from profiles.facet import (
    LINES_MAX,
    Alert,
    Attribute,
    Case,
    Cell,
    Contact,
    Ended,
    Line,
    Message,
    Opened,
    Order,
    Payment,
    Placed,
    Record,
    Review,
    Started,
    Subscription,
    Suggestion,
    Sum,
    Survey,
    Touch,
    Words,
)


class Delta(msgspec.Struct, frozen=True, gc=False):
    """One record to join in: the purpose whose section it belongs to, the kind, the id."""

    purpose: str
    kind: str
    id: str
    record: Record


def deltas(fact: Fact) -> Sequence[Delta]:
    """Everything the fact adds; nothing for consents, links and relations, which the fold keeps itself."""
    make = _DELTAS.get(fact.type)
    if make is None:
        return ()
    added = make(fact, fact.body)
    if fact.type in _NO_TOUCH:
        return added
    point = _cell(fact, (fact.type, fact.body.channel))
    return (*added, _service("touch", "last", Touch((point,))))


def _cell(fact: Fact, value: Any = None) -> Cell[Any]:
    return Cell(fact.occurred_at, fact.event_key, value)


def _service(kind: str, record_id: str, record: Record) -> Delta:
    return Delta(SERVICE, kind, record_id, record)


def _purchased(fact: Fact, body: transactions.Purchased) -> Sequence[Delta]:
    lines = tuple([Line(line.item, line.category, line.quantity, line.amount) for line in body.lines[:LINES_MAX]])
    placed = Placed(body.total.amount, body.total.currency, lines, body.channel)
    promised = None if body.promised_at is None else _cell(fact, body.promised_at)
    return (_service("orders", body.order_id, Order(placed=_cell(fact, placed), promised=promised)),)


def _refunded(fact: Fact, body: transactions.Refunded) -> Sequence[Delta]:
    refund = Sum(body.refund.amount, body.refund.currency)
    return (_service("orders", body.order_id, Order(refunds=(_cell(fact, refund),))),)


def _paid(fact: Fact, body: transactions.Paid) -> Sequence[Delta]:
    paid = (Sum(body.paid.amount, body.paid.currency), body.order_id)
    return (_service("payments", body.payment_id, Payment(paid=_cell(fact, paid))),)


def _subscribed(fact: Fact, body: transactions.Subscribed) -> Sequence[Delta]:
    return (_service("subscriptions", body.subscription_id, Subscription(subscribed=_cell(fact, body.service))),)


def _cancelled(fact: Fact, body: transactions.Cancelled) -> Sequence[Delta]:
    if body.order_id is not None:
        return (_service("orders", body.order_id, Order(cancelled=_cell(fact, body.reason))),)
    if body.subscription_id is not None:
        return (_service("subscriptions", body.subscription_id, Subscription(cancelled=_cell(fact, body.reason))),)
    return ()


def _contact_started(fact: Fact, body: service.ContactStarted) -> Sequence[Delta]:
    started = Started(body.topics, body.outbound, body.channel)
    return (_service("contacts", body.contact_id, Contact(started=_cell(fact, started))),)


def _contact_ended(fact: Fact, body: service.ContactEnded) -> Sequence[Delta]:
    ended = Ended(body.topics, body.wait_ms, body.to_human, body.reached)
    return (_service("contacts", body.contact_id, Contact(ended=_cell(fact, ended))),)


def _case_opened(fact: Fact, body: service.CaseOpened) -> Sequence[Delta]:
    opened = Opened(body.topics, body.priority, body.about, body.channel)
    return (_service("cases", body.case_id, Case(opened=_cell(fact, opened))),)


def _case_replied(fact: Fact, body: service.CaseReplied) -> Sequence[Delta]:
    return (_service("cases", body.case_id, Case(replies=(_cell(fact),))),) if body.by == "us" else ()


def _case_escalated(fact: Fact, body: service.CaseEscalated) -> Sequence[Delta]:
    return (_service("cases", body.case_id, Case(escalated=(_cell(fact, body.to),))),)


def _case_resolved(fact: Fact, body: service.CaseResolved) -> Sequence[Delta]:
    return (_service("cases", body.case_id, Case(resolved=(_cell(fact, body.resolution),))),)


def _case_reopened(fact: Fact, body: service.CaseReopened) -> Sequence[Delta]:
    return (_service("cases", body.case_id, Case(reopened=(_cell(fact),))),)


def _visited(_fact: Fact, _body: service.Visited) -> Sequence[Delta]:
    # Kept as a touchpoint, which every fact of this table leaves.
    return ()


def _delivery_step(fact: Fact, body: service.DeliveryStep) -> Sequence[Delta]:
    promised = None if body.promised_at is None else _cell(fact, body.promised_at)
    order = replace(Order(promised=promised), **{body.step: _cell(fact)})
    return (_service("orders", body.order_id, order),)


def _alert_raised(fact: Fact, body: service.AlertRaised) -> Sequence[Delta]:
    return (_service("alerts", body.alert_id, Alert(raised=_cell(fact, (body.kind, body.component, body.severity)))),)


def _survey_sent(fact: Fact, body: feedback.SurveySent) -> Sequence[Delta]:
    return (_service("surveys", body.survey_id, Survey(sent=_cell(fact, body.kind))),)


def _survey_answered(fact: Fact, body: feedback.SurveyAnswered) -> Sequence[Delta]:
    return (
        _service("surveys", body.survey_id, Survey(answered=_cell(fact, (body.kind, body.score)))),
        *_words(fact, f"survey {body.survey_id}", body.text),
    )


def _review_posted(fact: Fact, body: feedback.ReviewPosted) -> Sequence[Delta]:
    # A review id can repeat across orders (it does in real data), so the order is part of what identifies a review.
    record_id = f"{body.review_id} {body.about or ''}".rstrip()
    return (
        _service("reviews", record_id, Review(posted=_cell(fact, (body.about, body.score)))),
        *_words(fact, f"review {record_id}", "\n".join(filter(None, (body.title, body.text)))),
    )


def _complaint_filed(fact: Fact, body: feedback.ComplaintFiled) -> Sequence[Delta]:
    opened = Opened(body.topics, "high", body.about, body.channel)
    return (
        _service("cases", body.case_id, Case(complaint=_cell(fact, opened))),
        *_words(fact, f"complaint {body.case_id}", body.text),
    )


def _presented(fact: Fact, body: feedback.SuggestionPresented) -> Sequence[Delta]:
    record_id = f"{body.decision} {body.service}"
    return (_service("suggestions", record_id, Suggestion(presented=_cell(fact, body.service))),)


def _answered(fact: Fact, body: feedback.SuggestionAnswered) -> Sequence[Delta]:
    record_id = f"{body.decision} {body.service}"
    answer = (body.service, body.answer, body.reason)
    return (_service("suggestions", record_id, Suggestion(answered=_cell(fact, answer))),)


def _outreach_sent(fact: Fact, body: outreach.OutreachSent) -> Sequence[Delta]:
    return (_service("messages", body.outreach, Message(sent=_cell(fact, (body.trigger, body.service)))),)


def _outreach_claimed(fact: Fact, body: outreach.OutreachClaimed) -> Sequence[Delta]:
    return (_service("messages", body.outreach, Message(claimed=_cell(fact, body.go))),)


def _outreach_answered(fact: Fact, body: outreach.OutreachAnswered) -> Sequence[Delta]:
    return (_service("messages", body.outreach, Message(answered=_cell(fact, body.answer))),)


def _described(fact: Fact, body: identity.Described) -> Sequence[Delta]:
    return [
        Delta(attribute_purpose(name), "attributes", name, Attribute(stated=_cell(fact, value)))
        for name, value in body.attributes.items()
    ]


def _words(fact: Fact, record_id: str, text: str | None) -> Sequence[Delta]:
    return (Delta(FEEDBACK, "words", record_id, Words(written=_cell(fact, text))),) if text else ()


_DELTAS: Final[Mapping[str, Callable[[Fact, Any], Sequence[Delta]]]] = {
    transactions.Purchased.event_type: _purchased,
    transactions.Refunded.event_type: _refunded,
    transactions.Paid.event_type: _paid,
    transactions.Subscribed.event_type: _subscribed,
    transactions.Cancelled.event_type: _cancelled,
    service.ContactStarted.event_type: _contact_started,
    service.ContactEnded.event_type: _contact_ended,
    service.CaseOpened.event_type: _case_opened,
    service.CaseReplied.event_type: _case_replied,
    service.CaseEscalated.event_type: _case_escalated,
    service.CaseResolved.event_type: _case_resolved,
    service.CaseReopened.event_type: _case_reopened,
    service.Visited.event_type: _visited,
    service.DeliveryStep.event_type: _delivery_step,
    service.AlertRaised.event_type: _alert_raised,
    feedback.SurveySent.event_type: _survey_sent,
    feedback.SurveyAnswered.event_type: _survey_answered,
    feedback.ReviewPosted.event_type: _review_posted,
    feedback.ComplaintFiled.event_type: _complaint_filed,
    feedback.SuggestionPresented.event_type: _presented,
    feedback.SuggestionAnswered.event_type: _answered,
    outreach.OutreachSent.event_type: _outreach_sent,
    outreach.OutreachClaimed.event_type: _outreach_claimed,
    outreach.OutreachAnswered.event_type: _outreach_answered,
    identity.Described.event_type: _described,
}

_NO_TOUCH: Final = frozenset({identity.Described.event_type, outreach.OutreachClaimed.event_type})
"""Facts that are not a contact with the person."""
