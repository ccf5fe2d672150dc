"""The facts that say on the log that a right was carried out."""

from typing import Final

from consent.rights import Erasure
from events.fact import Fact
from events.own_facts import own_fact
from events.shape import Body
from profiles.rights import erasure

OWN_SOURCE: Final = "rapport.rights"
"""The source of these facts; no door admits it from outside."""


def erasure_fact(request: Erasure, identity: str) -> Fact:
    """The fact that leaves a tombstone of an identity: the same one, however often the request is carried out."""
    return right_fact(erasure(request.id), request=request.id, identity=identity, now=request.asked_at)


def right_fact(body: Body, *, request: str, identity: str, now: int) -> Fact:
    """The fact that a request was carried out for an identity (a pseudonym), as of now (ms)."""
    said = [body.event_type, request]
    return own_fact(body, identity=identity, source=OWN_SOURCE, event_id=request, said=said, at=now, now=now)
