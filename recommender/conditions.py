"""What a need may ask of a person's facts: a small, fixed set of typed operators, nothing to evaluate."""

from typing import Annotated, Final, Literal

from pydantic import Field

from events.feedback import SurveyKind
from events.shape import Code, Natural, RecordId, Shape

DAY_MS: Final = 24 * 3600 * 1000

Days = Annotated[int, Field(strict=True, ge=1, le=1096)]
AtLeast = Annotated[int, Field(strict=True, ge=1, le=1000)]


class Bought(Shape):
    """At least so many orders hold one of the items or categories."""

    op: Literal["bought"]
    items: tuple[RecordId, ...] = ()
    categories: tuple[Code, ...] = ()
    at_least: AtLeast = 1
    within_days: Days


class Ordered(Shape):
    """At least so many orders of any kind."""

    op: Literal["ordered"]
    at_least: AtLeast = 1
    within_days: Days


class Quiet(Shape):
    """At least so many orders ever, none of them within the days."""

    op: Literal["quiet"]
    after_orders: AtLeast = 1
    for_days: Days


class Newcomer(Shape):
    """The first order lies within the days."""

    op: Literal["newcomer"]
    within_days: Days


class Contacted(Shape):
    """At least so many contacts or cases about one of the topics."""

    op: Literal["contacted"]
    topics: Annotated[tuple[Code, ...], Field(min_length=1)]
    at_least: AtLeast = 1
    within_days: Days


class Unreached(Shape):
    """At least so many contacts in which nobody was reached."""

    op: Literal["unreached"]
    at_least: AtLeast = 1
    within_days: Days


class Alerted(Shape):
    """At least so many equipment alerts of one of the kinds (none named: any)."""

    op: Literal["alerted"]
    kinds: tuple[Code, ...] = ()
    severities: tuple[Literal["info", "warning", "critical"], ...] = ("warning", "critical")
    at_least: AtLeast = 1
    within_days: Days


class Complained(Shape):
    """A complaint was filed within the days and is open, or was solved."""

    op: Literal["complained"]
    state: Literal["open", "solved"]
    within_days: Days


class Scored(Shape):
    """The latest answer to a survey of this kind lies within the scores."""

    op: Literal["scored"]
    survey: SurveyKind
    at_least: Natural = 0
    at_most: Natural = 10
    within_days: Days


class Visited(Shape):
    """The person came to a shop, a branch or a site."""

    op: Literal["visited"]
    within_days: Days


class DeliveredLate(Shape):
    """At least so many orders arrived after the promised time."""

    op: Literal["delivered_late"]
    at_least: AtLeast = 1
    within_days: Days


class Holds(Shape):
    """The person has taken one of the services, the last time within the days where those are named."""

    op: Literal["holds"]
    services: Annotated[tuple[Code, ...], Field(min_length=1)]
    within_days: Days | None = None


class Lacks(Shape):
    """The person has taken none of the services (within the days); it rests on nothing and cannot stand alone."""

    op: Literal["lacks"]
    services: Annotated[tuple[Code, ...], Field(min_length=1)]
    within_days: Days | None = None


class Described(Shape):
    """A described attribute has this value."""

    op: Literal["described"]
    attribute: Code
    equals: str | bool | int


Condition = Annotated[
    Bought
    | Ordered
    | Quiet
    | Newcomer
    | Contacted
    | Unreached
    | Alerted
    | Complained
    | Scored
    | Visited
    | DeliveredLate
    | Holds
    | Lacks
    | Described,
    Field(discriminator="op"),
]
