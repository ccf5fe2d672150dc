"""Transactions: what was bought, paid, refunded, subscribed to, cancelled."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from events.shape import Body, Code, Money, Natural, RecordId, Shape, Time


class Line(Shape):
    """One line of an order; `amount` is in minor units of the order's currency."""

    item: RecordId
    category: Code | None = None
    quantity: Natural = 1
    amount: Natural = 0


class Purchased(Body):
    """An order was placed."""

    event_type: ClassVar[str] = "transaction.purchased"

    order_id: RecordId
    total: Money
    lines: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    promised_at: Time | None = None


class Refunded(Body):
    """Money went back for an order, in whole or in part."""

    event_type: ClassVar[str] = "transaction.refunded"

    order_id: RecordId
    refund: Money
    reason: Code | None = None


class Paid(Body):
    """A payment arrived, for an order where one is named."""

    event_type: ClassVar[str] = "transaction.paid"

    payment_id: RecordId
    order_id: RecordId | None = None
    paid: Money
    method: Code | None = None
    instalments: Natural = 1


class Subscribed(Body):
    """A running service was taken up."""

    event_type: ClassVar[str] = "transaction.subscribed"

    subscription_id: RecordId
    service: Code
    price: Money | None = None


class Cancelled(Body):
    """An order or a subscription was cancelled; exactly one is named."""

    event_type: ClassVar[str] = "transaction.cancelled"

    order_id: RecordId | None = None
    subscription_id: RecordId | None = None
    reason: Code | None = None

    @model_validator(mode="after")
    def _names_exactly_one(self) -> Self:
        if (self.order_id is None) == (self.subscription_id is None):
            raise ValueError("name exactly one of order_id and subscription_id")
        return self
