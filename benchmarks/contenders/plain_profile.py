"""The profile without exactness: counters, the records, and the last contact in one hash per person."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from benchmarks.model import FIELDS
from benchmarks.workload import EVENT_TYPES

Fact = dict[str, Any]
Command = tuple[Any, ...]

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


def commands_of(fact: Fact) -> list[Command]:
    """Five at most: the counter, the sum, how often on this channel, the record itself, the last contact."""
    told = _Told(fact)
    commands = told.increments()
    commands.append(("HINCRBY", told.name, "channel:" + told.channel, 1))
    commands.append(("HSET", told.name, *told.record()))
    commands.append(("HSET", told.name, *told.last()))
    return commands


def few_commands_of(fact: Fact) -> list[Command]:
    """Three at most: as above without the channels, and one HSET for all that is set."""
    told = _Told(fact)
    return [*told.increments(), ("HSET", told.name, *told.record(), *told.last())]


class _Told:
    def __init__(self, fact: Fact) -> None:
        self._kind, self._body = _KINDS[fact["type"]], fact["body"]
        self._at = fact["occurred_at"]
        self.name = "profile:" + fact["identity"]
        self.channel = self._body["channel"]

    def increments(self) -> list[Command]:
        count, total = FIELDS[self._kind]
        commands: list[Command] = [("HINCRBY", self.name, "n:" + count, 1)]
        if total is not None:
            commands.append(("HINCRBY", self.name, "n:" + total, _NUMBERS[self._kind](self._body)))
        return commands

    def record(self) -> Command:
        stated = orjson.dumps((self._at, self._body))
        return (f"{self._kind}:{self._body[_RECORDS[self._kind]]}", stated)

    def last(self) -> Command:
        return ("last_at", self._at, "last", self._kind, "channel", self.channel)
