"""Outreach: messages sent, claimed by their sender, answered."""

from typing import ClassVar, Literal

from events.shape import Body, Code, RecordId


class OutreachSent(Body):
    """A message left for the person; `outreach` is the decision's id."""

    event_type: ClassVar[str] = "outreach.sent"

    outreach: RecordId
    trigger: Code
    service: Code | None = None


class OutreachClaimed(Body):
    """The sender asked immediately before sending, and was told to go or not to."""

    event_type: ClassVar[str] = "outreach.claimed"

    outreach: RecordId
    go: bool


class OutreachAnswered(Body):
    """What came back on a message."""

    event_type: ClassVar[str] = "outreach.answered"

    outreach: RecordId
    answer: Literal["opened", "accepted", "declined", "ignored"]
