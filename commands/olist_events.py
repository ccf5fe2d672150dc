"""What the Olist rows say, as events in the order of their time. A pure function of the rows.

The choices behind it (identities, times, money, cancellations) are argued in `docs/decisions/`.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from commands.olist import Olist, OlistOrder, OlistUnreadable, Row
from events.shape import format_time, parse_time

BRASILIA: Final = "-03:00"
"""The files hold local times without a zone; they are read at this fixed offset."""
_SECOND_MS: Final = 1000
_MOMENTS: Final = (
    "order_purchase_timestamp",
    "order_approved_at",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
)
_CANCELLED: Final = frozenset({"canceled", "unavailable"})


class OlistEvent(NamedTuple):
    """One event; sorts by time (ms), then by `rank`, which keeps the natural order within a second, then by id."""

    at: int
    rank: int
    id: str
    type: str
    subject: str
    data: Mapping[str, Any]

    def cloud_event(self, *, source: str) -> dict[str, Any]:
        """The event as the sender `source` writes it: CloudEvents 1.0."""
        return {
            "specversion": "1.0",
            "id": f"olist-{self.id}",
            "source": source,
            "type": self.type,
            "subject": self.subject,
            "time": format_time(self.at),
            "data": self.data,
        }


def olist_events(olist: Olist, *, grants: Sequence[str] = ()) -> Iterator[OlistEvent]:
    """All events in the order of their time; with `grants`, a demo consent to each purpose before an identity's facts.

    The same rows give the same events with the same ids, so sending them again changes nothing. OlistUnreadable for
    a value that cannot be read.
    """
    waiting: list[OlistEvent] = []
    granted: set[str] = set()
    for opens_at, order in sorted(((_opens_at(order), order) for order in olist.orders), key=lambda pair: pair[0]):
        # Nothing of this order or a later one happens before it opens, except its grants a second earlier.
        while waiting and waiting[0].at < opens_at - _SECOND_MS:
            yield heapq.heappop(waiting)
        events = _events_of(order, olist.categories, opens_at=opens_at)
        for event in (*_grants(events, grants, granted, at=opens_at - _SECOND_MS), *events):
            heapq.heappush(waiting, event)
    while waiting:
        yield heapq.heappop(waiting)


def local_time(text: str) -> int:
    """Milliseconds since 1970 of a time as the files write it. OlistUnreadable."""
    try:
        return parse_time(text + BRASILIA)
    except ValueError as error:
        raise OlistUnreadable("a time is not written as 2017-01-31 23:59:59") from error


def centavos(text: str) -> int:
    """An amount such as 17.9 in centavos, exactly. OlistUnreadable."""
    try:
        amount = Decimal(text) * 100
    except InvalidOperation as error:
        raise OlistUnreadable("an amount is not a number") from error
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise OlistUnreadable("an amount has fractions of a centavo")
    return int(amount)


def _grants(
    events: Sequence[OlistEvent], purposes: Sequence[str], granted: set[str], *, at: int
) -> Iterator[OlistEvent]:
    for subject in dict.fromkeys(event.subject for event in events):
        if subject in granted:
            continue
        granted.add(subject)
        for purpose in purposes:
            data = {"purpose": purpose, "evidence": "demo"}
            yield OlistEvent(at, 0, f"grant-{purpose}-{subject}", "consent.given", subject, data)


def _opens_at(order: OlistOrder) -> int:
    """The earliest moment of the order; a review can be dated before the purchase."""
    columns = ("review_creation_date", "review_answer_timestamp")
    with _about(order):
        reviewed = (local_time(review[column]) for review in order.reviews for column in columns)
        return min((*_moments(order.order), *reviewed))


def _moments(row: Row) -> list[int]:
    return [local_time(row[column]) for column in _MOMENTS if row[column]]


def _events_of(order: OlistOrder, categories: Mapping[str, str], *, opens_at: int) -> list[OlistEvent]:
    """The events of one order; who ordered is said as it opens."""
    with _about(order):
        return [
            *_identity(order.customer, at=opens_at),
            *_transaction(order, categories),
            *_service(order),
            *_feedback(order),
        ]


@contextmanager
def _about(order: OlistOrder) -> Iterator[None]:
    try:
        yield
    except OlistUnreadable as error:
        raise OlistUnreadable(f"order {order.order['order_id']}: {error}") from error


def _identity(customer: Row, *, at: int) -> Iterator[OlistEvent]:
    per_order, person = f"olist_order:{customer['customer_id']}", f"olist:{customer['customer_unique_id']}"
    link = {"other": person, "strength": "verified", "reason": "same-customer"}
    yield OlistEvent(at, 1, f"linked-{customer['customer_id']}", "identity.linked", per_order, link)
    attributes = {"city": customer["customer_city"], "state": customer["customer_state"], "country": "BR"}
    described = {"attributes": {name: value for name, value in attributes.items() if value}}
    yield OlistEvent(at, 2, f"described-{customer['customer_id']}", "identity.described", person, described)


def _transaction(order: OlistOrder, categories: Mapping[str, str]) -> Iterator[OlistEvent]:
    row, subject = order.order, _subject(order)
    order_id, placed_at = row["order_id"], local_time(row["order_purchase_timestamp"])
    total = sum(centavos(item["price"]) + centavos(item["freight_value"]) for item in order.items)
    purchased = {
        "order_id": order_id,
        "total": _reais(total),
        "lines": [_line(item, categories) for item in order.items],
        "promised_at": format_time(local_time(row["order_estimated_delivery_date"])),
    }
    yield OlistEvent(placed_at, 3, f"purchased-{order_id}", "transaction.purchased", subject, purchased)
    paid_at = local_time(row["order_approved_at"]) if row["order_approved_at"] else placed_at
    for payment in order.payments:
        payment_id = f"{order_id}-{payment['payment_sequential']}"
        paid = {
            "payment_id": payment_id,
            "order_id": order_id,
            "paid": _reais(centavos(payment["payment_value"])),
            "method": payment["payment_type"],
            "instalments": _whole(payment["payment_installments"]),
        }
        yield OlistEvent(paid_at, 4, f"paid-{payment_id}", "transaction.paid", subject, paid)
    if row["order_status"] in _CANCELLED:
        cancelled = {"order_id": order_id, "reason": row["order_status"]}
        # When it was cancelled is not in the files: not before the last thing they know of it.
        yield OlistEvent(max(_moments(row)), 7, f"cancelled-{order_id}", "transaction.cancelled", subject, cancelled)


def _service(order: OlistOrder) -> Iterator[OlistEvent]:
    row, subject = order.order, _subject(order)
    steps = ((5, "handed_over", "order_delivered_carrier_date"), (6, "delivered", "order_delivered_customer_date"))
    for rank, step, column in steps:
        if row[column]:
            data = {"order_id": row["order_id"], "step": step}
            event_id = f"{step}-{row['order_id']}"
            yield OlistEvent(local_time(row[column]), rank, event_id, "service.delivery_step", subject, data)


def _feedback(order: OlistOrder) -> Iterator[OlistEvent]:
    order_id, subject = order.order["order_id"], _subject(order)
    for row in order.reviews:
        # One review id can stand at several orders, so the order is part of every id made of it.
        review = f"{row['review_id']}-{order_id}"
        sent_at, answered_at = local_time(row["review_creation_date"]), local_time(row["review_answer_timestamp"])
        sent = {"survey_id": review, "kind": "csat", "about": order_id}
        yield OlistEvent(sent_at, 8, f"survey-{review}", "feedback.survey_sent", subject, sent)
        posted: dict[str, Any] = {
            "review_id": row["review_id"],
            "about": order_id,
            "score": _whole(row["review_score"]),
        }
        words = {"title": row["review_comment_title"], "text": row["review_comment_message"]}
        posted |= {name: value for name, value in words.items() if value}
        yield OlistEvent(answered_at, 9, f"review-{review}", "feedback.review_posted", subject, posted)


def _subject(order: OlistOrder) -> str:
    return f"olist_order:{order.customer['customer_id']}"


def _line(item: Row, categories: Mapping[str, str]) -> dict[str, Any]:
    line = {"item": item["product_id"], "quantity": 1, "amount": centavos(item["price"])}
    category = categories.get(item["product_id"])
    return line if category is None else {**line, "category": category}


def _reais(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "BRL"}


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise OlistUnreadable("a count or score is not a whole number") from error
