"""How often a person may hear offers from us: one count of suggestions and messages together.

Only what reached the person counts: panels of personal suggestions that were presented, and messages that were sent.
Services that help rather than offer never count and are never held back. Counts may only remove.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from events.shape import Shape
from profiles.facet import ServiceSection
from recommender.conditions import DAY_MS

PANEL_MS: Final = 30 * 60 * 1000
"""What is presented within this time of a first presentation is one panel that was refreshed."""
GENERAL_DECISION: Final = "g"
"""Ids of decisions made without anything personal begin with it; what they presented does not count."""


class Cap(Shape):
    """At most so many times within the days."""

    at_most: Annotated[int, Field(strict=True, ge=0, le=1000)]
    within_days: Annotated[int, Field(strict=True, ge=1, le=366)]

    @property
    def window_ms(self) -> int:
        """The days in ms."""
        return self.within_days * DAY_MS


class Told(NamedTuple):
    """A person was told of a service at a time (ms); `message` is the id of the message that told it, if one did."""

    at: int
    service: str | None
    message: str | None = None


def told_to(section: ServiceSection) -> Iterator[Told]:
    """All that the person was told of personally, in no order."""
    for record_id, suggestion in section.suggestions.items():
        if suggestion.presented is not None and not record_id.startswith(GENERAL_DECISION):
            yield Told(suggestion.presented.at, suggestion.presented.value)
    for message_id, message in section.messages.items():
        if message.sent is not None:
            yield Told(message.sent.at, message.sent.value[1], message_id)


def times_heard(told: Collection[Told]) -> int:
    """How many times that is: each message, and each panel, however often it was refreshed."""
    messages = {each.message for each in told if each.message is not None}
    return len(messages) + _panels(sorted(each.at for each in told if each.message is None))


def offers_heard(told: Collection[Told], *, helps: Collection[str], since: int) -> int:
    """How many times the person heard an offer after `since` (ms); services in `helps` are none."""
    return times_heard([each for each in told if each.at > since and each.service not in helps])


def heard_enough_of(told: Collection[Told], caps: Mapping[str, Cap], *, at: int) -> set[str]:
    """The services that have a cap of their own and reached it at that time (ms)."""
    return {
        service
        for service, cap in caps.items()
        if times_heard([each for each in told if each.service == service and each.at > at - cap.window_ms])
        >= cap.at_most
    }


def _panels(times: list[int]) -> int:
    panels, begun = 0, 0
    for at in times:
        if not panels or at >= begun + PANEL_MS:
            panels, begun = panels + 1, at
    return panels
