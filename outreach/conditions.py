"""What may set a trigger off: a small, fixed set of typed operators, nothing to evaluate."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.feedback import ComplaintFiled
from events.service import AlertRaised
from events.shape import Body, Code, Shape
from events.transactions import Purchased


class Unsolved(Shape):
    """A complaint is still open so many hours after it was filed."""

    event: ClassVar[type[Body]] = ComplaintFiled

    op: Literal["unsolved"]
    after_hours: Annotated[int, Field(strict=True, ge=1, le=24 * 31)]


class Alerted(Shape):
    """A machine raised an alert of one of the kinds (none named: any)."""

    event: ClassVar[type[Body]] = AlertRaised

    op: Literal["alerted"]
    kinds: tuple[Code, ...] = ()
    severities: tuple[Literal["info", "warning", "critical"], ...] = ("warning", "critical")


class BoughtAgain(Shape):
    """So many orders of one category (none named: any) within the days, by whichever identities of the person."""

    event: ClassVar[type[Body]] = Purchased

    op: Literal["bought_again"]
    categories: tuple[Code, ...] = ()
    at_least: Annotated[int, Field(strict=True, ge=2, le=100)]
    within_days: Annotated[int, Field(strict=True, ge=1, le=31)]


Condition = Annotated[Unsolved | Alerted | BoughtAgain, Field(discriminator="op")]
