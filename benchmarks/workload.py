"""What every contender is fed: seeded facts of many people, a few of them sent twice, a few records that are no fact.

70 % transactions, 20 % service, 10 % feedback; people by Zipf 1.1, cut so that nobody has more than `person_max`;
1 % repeats within the last few hundred events; 0.1 % poison. What happened lies a year to a day back and is received
today, as when a company moves in: too late for outreach, whose decisions no other contender makes. `fresh` says
otherwise.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import orjson

from events.fact import Fact, encode_fact
from events.partitioning import partition_of
from events.pseudonyms import Pseudonyms
from events.shape import FROM_LOG
from events.vocabulary import BODIES

PSEUDONYMS: Final = Pseudonyms(b"a key for benchmarks")
ZIPF: Final = 1.1
REPEATS: Final = 0.01
REPEATED_WITHIN: Final = 300
POISON: Final = 0.001
BEGIN_MS: Final = 1_767_225_600_000  # 2026-01-01
YEAR_MS: Final = 364 * 24 * 3600 * 1000
RECEIVED_MS: Final = BEGIN_MS + YEAR_MS + 8 * 24 * 3600 * 1000
_CATEGORIES: Final = ("coffee", "food", "garden", "books", "tools")
_CHANNELS: Final = ("app", "web", "shop", "phone")


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """Size and seed of a workload; the same one gives the same bytes."""

    events: int
    people: int
    seed: int = 1
    person_max: int | None = 1000
    partitions: int = 8
    fresh: bool = False


class Happening(NamedTuple):
    """What an event says, as far as the model counts it: the kind, the record it is about, its amount or score."""

    identity: str
    kind: str
    record: str
    number: int
    event_key: bytes


class Message(NamedTuple):
    """One record of the log: the fact as the product writes it, and the same as JSON. Poison has no happening."""

    partition: int
    key: bytes
    fact: bytes
    json: bytes
    happening: Happening | None


_KINDS: Final[Mapping[str, tuple[float, str]]] = {
    "purchase": (0.45, "transaction.purchased"),
    "payment": (0.15, "transaction.paid"),
    "refund": (0.05, "transaction.refunded"),
    "subscription": (0.05, "transaction.subscribed"),
    "contact": (0.06, "service.contact_started"),
    "contact_end": (0.06, "service.contact_ended"),
    "case": (0.04, "service.case_opened"),
    "solution": (0.04, "service.case_resolved"),
    "survey": (0.06, "feedback.survey_answered"),
    "review": (0.04, "feedback.review_posted"),
}
"""Kind -> its share, its event type."""

EVENT_TYPES: Final = {kind: event_type for kind, (_, event_type) in _KINDS.items()}

_FOLLOWS: Final = {"refund": "purchase", "contact_end": "contact", "solution": "case"}
"""Kinds about a record that stands open; where a person has none, one is opened instead."""


def messages(workload: Workload) -> list[Message]:
    """The records in the order they are produced."""
    rng = np.random.default_rng(workload.seed)
    kinds = rng.choice(len(_KINDS), size=workload.events, p=[share for share, _ in _KINDS.values()])
    fates = rng.random(workload.events)
    back = rng.integers(1, REPEATED_WITHIN, size=workload.events)
    numbers = rng.integers(100, 20_000, size=workload.events)
    whose = people(workload, rng)
    names = list(_KINDS)
    story = _Story(workload)
    made: list[Message] = []
    for at in range(workload.events):
        if fates[at] < POISON:
            made.append(_poison(story.identity(next(whose)), at, workload.partitions))
        elif fates[at] < POISON + REPEATS and len(made) >= back[at]:
            made.append(made[-int(back[at])])
        else:
            made.append(story.next(person=next(whose), kind=names[kinds[at]], at=at, number=int(numbers[at])))
    return made


def people(workload: Workload, rng: np.random.Generator) -> Iterator[int]:
    """Who is next, by Zipf's law; whoever has had `person_max` is passed over."""
    weights = np.arange(1, workload.people + 1, dtype=float) ** -ZIPF
    weights /= weights.sum()
    had = [0] * workload.people
    most = workload.person_max or workload.events
    while True:
        for person in rng.choice(workload.people, size=4096, p=weights).tolist():
            if had[person] < most:
                had[person] += 1
                yield person


class _Story:
    """What each person has open, so that an end follows a beginning."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._step_ms = YEAR_MS // max(workload.events, 1)
        self._identities: dict[int, str] = {}
        self._open: dict[tuple[int, str], list[str]] = {}

    def identity(self, person: int) -> str:
        if person not in self._identities:
            self._identities[person] = PSEUDONYMS.of(f"app:{person}")
        return self._identities[person]

    def next(self, *, person: int, kind: str, at: int, number: int) -> Message:
        record = f"{kind}-{at}"
        if begins := _FOLLOWS.get(kind):
            waiting = self._open.get((person, begins))
            if waiting:
                record = waiting.pop()
            else:
                kind, record = begins, f"{begins}-{at}"
        if kind in _FOLLOWS.values():
            self._open.setdefault((person, kind), []).append(record)
        number = number % 5 + 1 if kind in {"survey", "review"} else number
        occurred_at = BEGIN_MS + at * self._step_ms
        received_at = occurred_at + 1000 if self._workload.fresh else RECEIVED_MS
        return _message(
            Happening(self.identity(person), kind, record, number, _key_of(at, self._workload.seed)),
            occurred_at=occurred_at,
            received_at=received_at,
            partitions=self._workload.partitions,
        )


def _key_of(at: int, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}/{at}".encode(), digest_size=8).digest()


def _poison(identity: str, at: int, partitions: int) -> Message:
    key = identity.encode()
    spoilt = b"no fact %d" % at
    return Message(partition_of(key, partitions), key, spoilt, b'{"type":' + spoilt, None)


def _message(happening: Happening, *, occurred_at: int, received_at: int, partitions: int) -> Message:
    event_type = EVENT_TYPES[happening.kind]
    said = {"channel": _CHANNELS[happening.number % 4], **_BODIES[happening.kind](happening)}
    fact = Fact(
        type=event_type,
        event_key=happening.event_key,
        digest=happening.event_key[:4],
        identity=happening.identity,
        occurred_at=occurred_at,
        received_at=received_at,
        source="shop",
        body=BODIES[event_type].model_validate(said, context=FROM_LOG),
    )
    as_json = {
        "type": event_type,
        "id": happening.event_key.hex(),
        "identity": happening.identity,
        "occurred_at": occurred_at,
        "received_at": received_at,
        "source": "shop",
        "body": said,
    }
    key = happening.identity.encode()
    return Message(partition_of(key, partitions), key, encode_fact(fact), orjson.dumps(as_json), happening)


def _money(happening: Happening) -> dict[str, Any]:
    return {"amount": happening.number, "currency": "EUR"}


def _purchase(happening: Happening) -> dict[str, Any]:
    line = {
        "item": f"item-{happening.number % 500}",
        "category": _CATEGORIES[happening.number % 5],
        "quantity": 1,
        "amount": happening.number,
    }
    return {"order_id": happening.record, "total": _money(happening), "lines": [line]}


_BODIES: Final[Mapping[str, Callable[[Happening], dict[str, Any]]]] = {
    "purchase": _purchase,
    "payment": lambda it: {"payment_id": it.record, "paid": _money(it), "method": "card"},
    "refund": lambda it: {"order_id": it.record, "refund": _money(it), "reason": "damaged"},
    "subscription": lambda it: {"subscription_id": it.record, "service": "recipe-box"},
    "contact": lambda it: {"contact_id": it.record, "topics": ["delivery"]},
    "contact_end": lambda it: {"contact_id": it.record, "wait_ms": it.number, "to_human": True},
    "case": lambda it: {"case_id": it.record, "topics": ["delivery"], "about": "order"},
    "solution": lambda it: {"case_id": it.record, "resolution": "solved"},
    "survey": lambda it: {"survey_id": it.record, "kind": "csat", "score": it.number},
    "review": lambda it: {"review_id": it.record, "about": "coffee", "score": it.number},
}
