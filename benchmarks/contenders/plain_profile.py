"""The profile without exactness: counters, the records, and the last contact in one hash per person."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from benchmarks.model import FIELDS
from benchmarks.workload import EVENT_TYPES

Fact = dict[str, Any]

_NUMBERS: Final[Mapping[str, Callable[[Any], int]]] = {
    "purchase": lambda body: body["total"]["amount"],
    "payment": lambda body: body["paid"]["amount"],
    "refund": lambda body: body["refund"]["amount"],
    "contact_end": lambda body: body["wait_ms"],
    "survey": lambda body: body["score"],
    "review": lambda body: body["score"],
}
_RECORDS: Final = {
    "purchase": "order_id",
    "payment": "payment_id",
    "refund": "order_id",
    "subscription": "subscription_id",
    "contact": "contact_id",
    "contact_end": "contact_id",
    "case": "case_id",
    "solution": "case_id",
    "survey": "survey_id",
    "review": "review_id",
}
_KINDS: Final = {event_type: kind for kind, event_type in EVENT_TYPES.items()}


def commands_of(fact: Fact) -> list[tuple[Any, ...]]:
    """Two increments at most and one HSET: counters, the record itself, the last contact."""
    kind, body = _KINDS[fact["type"]], fact["body"]
    count, total = FIELDS[kind]
    name = "profile:" + fact["identity"]
    commands: list[tuple[Any, ...]] = [("HINCRBY", name, "n:" + count, 1)]
    if total is not None:
        commands.append(("HINCRBY", name, "n:" + total, _NUMBERS[kind](body)))
    record = f"{kind}:{body[_RECORDS[kind]]}"
    stated = orjson.dumps((fact["occurred_at"], body))
    commands.append(
        ("HSET", name, record, stated, "last_at", fact["occurred_at"], "last", kind, "channel", body["channel"])
    )
    return commands
