"""Admission: from an event somebody sent to facts on the log. One pure function for both doors."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from events.fact import Fact, describe
from events.partitioning import partition_of
from events.pseudonyms import IdentityInvalid, Pseudonyms
from events.shape import Body, IdentityText, Shape, Time
from events.vocabulary import BODIES, PRIVILEGED, RESERVED, TWO_SIDED

EVENT_BYTES_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 32
AHEAD_MAX_MS: Final = 24 * 3600 * 1000
"""An event may be dated at most this far ahead of its receipt."""

_EXTENSION = re.compile(r"[a-z0-9]{1,20}")

# Possessive, and a string may lack its end, so that no input is scanned twice.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)

RefusalCode = Literal[
    "not_json", "too_large", "not_an_event", "unknown_type", "type_not_allowed", "bad_data", "bad_time", "bad_identity"
]


class CloudEvent(Shape):
    """A CloudEvents 1.0 event in JSON; `subject` is the clear identity it is about.

    Extension attributes are allowed by the standard and are not kept.
    """

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, max_length=128)
    source: str = Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")
    type: str = Field(min_length=1, max_length=64)
    subject: IdentityText
    time: Time
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = Field(default=None, max_length=256)
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where an event came in, and what that door has established about its source.

    `source` None: whatever the sender wrote, so privileged types are refused. Otherwise the event must carry exactly
    this source, and `types` says which types it may publish (exact names, or a prefix ending in `.*`, or `*`).
    """

    name: str
    source: str | None = None
    types: tuple[str, ...] = ("*",)

    def publishes(self, event_type: str) -> bool:
        """Tell whether this door's source may publish the type at all."""
        if self.source is None and event_type in PRIVILEGED:
            return False
        return any(
            pattern in {"*", event_type} or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
            for pattern in self.types
        )


INTAKE: Final = Door(name="intake")
"""The open Kafka topic: a producer can write any source there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A fact with the partition of `rapport.events` it belongs to."""

    fact: Fact
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRefused:
    """Why an event was not admitted; the text never repeats what it held."""

    code: RefusalCode
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The admission rules of one installation: the pseudonym key and the partition count."""

    pseudonyms: Pseudonyms
    partitions: int

    def admit(self, raw: bytes, *, door: Door, received_at: int) -> Sequence[Admitted] | EventRefused:
        """Facts of one event in JSON: one, or two for a link, or the reason there are none.

        `received_at` is milliseconds since 1970.
        """
        parsed = parse_json(raw)
        if isinstance(parsed, EventRefused):
            return parsed
        return self.admit_parsed(parsed, door=door, received_at=received_at)

    def admit_parsed(self, parsed: Any, *, door: Door, received_at: int) -> Sequence[Admitted] | EventRefused:
        """The same for an event already parsed by `parse_json` (an item of a batch)."""
        envelope = _envelope(parsed)
        if isinstance(envelope, EventRefused):
            return envelope
        if (refusal := _refuse_type(envelope, door)) is not None:
            return refusal
        if envelope.time > received_at + AHEAD_MAX_MS:
            return EventRefused(code="bad_time", detail="time is more than 24 hours ahead")
        try:
            body = BODIES[envelope.type].model_validate(envelope.data)
        except ValidationError as error:
            return EventRefused(code="bad_data", detail=f"data: {describe(error)}")
        if getattr(body, "inverse", False):
            return EventRefused(code="bad_data", detail="data: inverse: only admission sets it")
        try:
            halves = self._halves(envelope.subject, body)
        except IdentityInvalid as error:
            return EventRefused(code="bad_identity", detail=str(error))
        if len(halves) == 2 and halves[0][0] == halves[1][0]:
            return EventRefused(code="bad_identity", detail="an identity cannot be linked or related to itself")
        key, digest = event_key(envelope.source, envelope.id), payload_digest(parsed)
        return [
            self.place(
                Fact(
                    type=envelope.type,
                    event_key=key,
                    digest=digest,
                    identity=identity,
                    occurred_at=envelope.time,
                    received_at=received_at,
                    source=envelope.source,
                    body=half,
                )
            )
            for identity, half in halves
        ]

    def place(self, fact: Fact) -> Admitted:
        """A fact made by the system itself, with its partition."""
        return Admitted(fact=fact, partition=partition_of(fact.identity.encode(), self.partitions))

    def _halves(self, subject: str, body: Body) -> list[tuple[str, Body]]:
        here = self.pseudonyms.of(subject)
        if body.event_type not in TWO_SIDED:
            return [(here, body)]
        there = self.pseudonyms.of(getattr(body, "other"))  # noqa: B009 - every two-sided body has `other`; see the test
        mirrored = {"other": here, "inverse": True} if "inverse" in type(body).model_fields else {"other": here}
        return [(here, body.model_copy(update={"other": there})), (there, body.model_copy(update=mirrored))]


def event_key(source: str, event_id: str) -> bytes:
    """8 bytes of BLAKE2b over source NUL id: CloudEvents calls that pair unique."""
    return hashlib.blake2b(f"{source}\x00{event_id}".encode(), digest_size=8).digest()


def payload_digest(parsed: Any) -> bytes:
    """4 bytes of BLAKE2b over what the sender said, in canonical JSON; nothing that admission stamps."""
    text = json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest()


def parse_json(raw: bytes, *, bytes_max: int = EVENT_BYTES_MAX) -> Any | EventRefused:
    """Strict JSON: UTF-8, no duplicate keys, no NaN or infinities, bounded size and depth."""
    if len(raw) > bytes_max:
        return EventRefused(code="too_large", detail=f"more than {bytes_max} bytes")
    if _too_deep(raw):
        return EventRefused(code="not_json", detail=f"nested deeper than {DEPTH_MAX}")
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        detail = str(error) if isinstance(error, _NotPlain) else "not valid JSON in UTF-8"
        return EventRefused(code="not_json", detail=detail)


class _NotPlain(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotPlain("a key stands twice in one object")
    return members


def _refuse_constant(_name: str) -> float:
    raise _NotPlain("NaN and infinities are not JSON")


def _too_deep(raw: bytes) -> bool:
    # Brackets inside strings count too, so a flat text full of brackets is looked at more closely before it is refused.
    if raw.count(b"[") + raw.count(b"{") <= DEPTH_MAX:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(raw):
        bracket = token.group()
        depth += 1 if bracket in b"[{" else -1 if bracket in b"]}" else 0
        if depth > DEPTH_MAX:
            return True
    return False


def _envelope(parsed: Any) -> CloudEvent | EventRefused:
    if not isinstance(parsed, dict):
        return EventRefused(code="not_an_event", detail="an event is a JSON object")
    known = {name: value for name, value in parsed.items() if name in CloudEvent.model_fields}
    if not all(_EXTENSION.fullmatch(name) for name in parsed.keys() - known.keys()):
        return EventRefused(code="not_an_event", detail="an attribute name is not lower-case letters and digits")
    try:
        return CloudEvent.model_validate(known)
    except ValidationError as error:
        return EventRefused(code="not_an_event", detail=describe(error))


def _refuse_type(envelope: CloudEvent, door: Door) -> EventRefused | None:
    if envelope.type not in BODIES:
        return EventRefused(code="unknown_type", detail="no such event type")
    if door.source is not None and envelope.source != door.source:
        return EventRefused(code="type_not_allowed", detail="source: this door is bound to another source")
    if envelope.type in RESERVED or not door.publishes(envelope.type):
        return EventRefused(code="type_not_allowed", detail=f"type: {envelope.type} may not be published at this door")
    return None
