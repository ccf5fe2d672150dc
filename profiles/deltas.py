"""What each type of fact adds to a facet: a table from body to deltas, each under the purpose it serves."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

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


class Delta(NamedTuple):
    """One record to join in: the purpose whose section it belongs to, the kind, the id."""

    purpose: str
    kind: str
    id: str
    record: Record


def deltas(fact: Fact) -> Iterator[Delta]:
    """Everything the fact adds; nothing for consents, links and relations, which the fold keeps itself."""
    make = _DELTAS.get(fact.type)
    if make is None:
        return
    yield from make(fact, fact.body)
    if fact.type not in _NO_TOUCH:
        point = Cell(fact.occurred_at, fact.event_key, (fact.type, fact.body.channel))
        yield Delta(SERVICE, "touch", "last", Touch(points=(point,)))


def _cell(fact: Fact, value: Any = None) -> Cell[Any]:
    return Cell(fact.occurred_at, fact.event_key, value)


def _service(kind: str, record_id: str, record: Record) -> Delta:
    return Delta(SERVICE, kind, record_id, record)


def _purchased(fact: Fact, body: transactions.Purchased) -> Iterator[Delta]:
    lines = tuple(Line(line.item, line.category, line.quantity, line.amount) for line in body.lines[:LINES_MAX])
    placed = Placed(body.total.amount, body.total.currency, lines, body.channel)
    promised = None if body.promised_at is None else _cell(fact, body.promised_at)
    yield _service("orders", body.order_id, Order(placed=_cell(fact, placed), promised=promised))


def _refunded(fact: Fact, body: transactions.Refunded) -> Iterator[Delta]:
    refund = Sum(body.refund.amount, body.refund.currency)
    yield _service("orders", body.order_id, Order(refunds=(_cell(fact, refund),)))


def _paid(fact: Fact, body: transactions.Paid) -> Iterator[Delta]:
    paid = (Sum(body.paid.amount, body.paid.currency), body.order_id)
    yield _service("payments", body.payment_id, Payment(paid=_cell(fact, paid)))


def _subscribed(fact: Fact, body: transactions.Subscribed) -> Iterator[Delta]:
    yield _service("subscriptions", body.subscription_id, Subscription(subscribed=_cell(fact, body.service)))


def _cancelled(fact: Fact, body: transactions.Cancelled) -> Iterator[Delta]:
    if body.order_id is not None:
        yield _service("orders", body.order_id, Order(cancelled=_cell(fact, body.reason)))
    if body.subscription_id is not None:
        yield _service("subscriptions", body.subscription_id, Subscription(cancelled=_cell(fact, body.reason)))


def _contact_started(fact: Fact, body: service.ContactStarted) -> Iterator[Delta]:
    started = Started(body.topics, body.outbound, body.channel)
    yield _service("contacts", body.contact_id, Contact(started=_cell(fact, started)))


def _contact_ended(fact: Fact, body: service.ContactEnded) -> Iterator[Delta]:
    ended = Ended(body.topics, body.wait_ms, body.to_human, body.reached)
    yield _service("contacts", body.contact_id, Contact(ended=_cell(fact, ended)))


def _case_opened(fact: Fact, body: service.CaseOpened) -> Iterator[Delta]:
    opened = Opened(body.topics, body.priority, body.about, body.channel)
    yield _service("cases", body.case_id, Case(opened=_cell(fact, opened)))


def _case_replied(fact: Fact, body: service.CaseReplied) -> Iterator[Delta]:
    if body.by == "us":
        yield _service("cases", body.case_id, Case(replies=(_cell(fact),)))


def _case_escalated(fact: Fact, body: service.CaseEscalated) -> Iterator[Delta]:
    yield _service("cases", body.case_id, Case(escalated=(_cell(fact, body.to),)))


def _case_resolved(fact: Fact, body: service.CaseResolved) -> Iterator[Delta]:
    yield _service("cases", body.case_id, Case(resolved=(_cell(fact, body.resolution),)))


def _case_reopened(fact: Fact, body: service.CaseReopened) -> Iterator[Delta]:
    yield _service("cases", body.case_id, Case(reopened=(_cell(fact),)))


def _visited(_fact: Fact, _body: service.Visited) -> Iterator[Delta]:
    # Kept as a touchpoint, which every fact of this table leaves.
    yield from ()


def _delivery_step(fact: Fact, body: service.DeliveryStep) -> Iterator[Delta]:
    promised = None if body.promised_at is None else _cell(fact, body.promised_at)
    order = replace(Order(promised=promised), **{body.step: _cell(fact)})
    yield _service("orders", body.order_id, order)


def _alert_raised(fact: Fact, body: service.AlertRaised) -> Iterator[Delta]:
    yield _service("alerts", body.alert_id, Alert(raised=_cell(fact, (body.kind, body.component, body.severity))))


def _survey_sent(fact: Fact, body: feedback.SurveySent) -> Iterator[Delta]:
    yield _service("surveys", body.survey_id, Survey(sent=_cell(fact, body.kind)))


def _survey_answered(fact: Fact, body: feedback.SurveyAnswered) -> Iterator[Delta]:
    yield _service("surveys", body.survey_id, Survey(answered=_cell(fact, (body.kind, body.score))))
    yield from _words(fact, f"survey {body.survey_id}", body.text)


def _review_posted(fact: Fact, body: feedback.ReviewPosted) -> Iterator[Delta]:
    # A review id can repeat across orders (it does in real data), so the order is part of what identifies a review.
    record_id = f"{body.review_id} {body.about or ''}".rstrip()
    yield _service("reviews", record_id, Review(posted=_cell(fact, (body.about, body.score))))
    yield from _words(fact, f"review {record_id}", "\n".join(filter(None, (body.title, body.text))))


def _complaint_filed(fact: Fact, body: feedback.ComplaintFiled) -> Iterator[Delta]:
    opened = Opened(body.topics, "high", body.about, body.channel)
    yield _service("cases", body.case_id, Case(complaint=_cell(fact, opened)))
    yield from _words(fact, f"complaint {body.case_id}", body.text)


def _presented(fact: Fact, body: feedback.SuggestionPresented) -> Iterator[Delta]:
    record_id = f"{body.decision} {body.service}"
    yield _service("suggestions", record_id, Suggestion(presented=_cell(fact, body.service)))


def _answered(fact: Fact, body: feedback.SuggestionAnswered) -> Iterator[Delta]:
    record_id = f"{body.decision} {body.service}"
    answer = (body.service, body.answer, body.reason)
    yield _service("suggestions", record_id, Suggestion(answered=_cell(fact, answer)))


def _outreach_sent(fact: Fact, body: outreach.OutreachSent) -> Iterator[Delta]:
    yield _service("messages", body.outreach, Message(sent=_cell(fact, (body.trigger, body.service))))


def _outreach_claimed(fact: Fact, body: outreach.OutreachClaimed) -> Iterator[Delta]:
    yield _service("messages", body.outreach, Message(claimed=_cell(fact, body.go)))


def _outreach_answered(fact: Fact, body: outreach.OutreachAnswered) -> Iterator[Delta]:
    yield _service("messages", body.outreach, Message(answered=_cell(fact, body.answer)))


def _described(fact: Fact, body: identity.Described) -> Iterator[Delta]:
    for name, value in body.attributes.items():
        yield Delta(attribute_purpose(name), "attributes", name, Attribute(stated=_cell(fact, value)))


def _words(fact: Fact, record_id: str, text: str | None) -> Iterator[Delta]:
    if text:
        yield Delta(FEEDBACK, "words", record_id, Words(written=_cell(fact, text)))


_DELTAS: Final[Mapping[str, Callable[[Fact, Any], Iterator[Delta]]]] = {
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
