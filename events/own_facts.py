"""Facts that we write on the log ourselves, past no door: each says by its id what is the same event."""

from typing import Any

from events.admission import event_key, payload_digest
from events.fact import Fact
from events.shape import Body


def own_fact(body: Body, *, identity: str, source: str, event_id: str, said: Any, at: int, now: int) -> Fact:
    """The fact that something happened to an identity (a pseudonym) at `at` (ms).

    The same source and `event_id` are the same event; `said` is what it must say again then.
    """
    return Fact(
        type=body.event_type,
        event_key=event_key(source, event_id),
        digest=payload_digest(said),
        identity=identity,
        occurred_at=at,
        received_at=now,
        source=source,
        body=body,
    )


def fact_of_occurrence(body: Body, *, identity: str, source: str, name: str, at: int, now: int) -> Fact:
    """The fact of an occurrence that has a name: of each type there is one."""
    said = [body.event_type, body.model_dump(mode="json", exclude_none=True), name]
    event_id = f"{body.event_type} {name}"
    return own_fact(body, identity=identity, source=source, event_id=event_id, said=said, at=at, now=now)
