"""A fact: an event after admission, and its form on the log.

On the wire a fact is one MessagePack array: format, header, `key_id`, body. The body is MessagePack again, so that
it can be sealed as a whole; `key_id` is None while it is clear.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from events.shape import FROM_LOG, Body
from events.vocabulary import BODIES

FORMAT: Final = 1

Lift = Callable[[dict[str, Any]], dict[str, Any]]

LIFTS: Final[Mapping[tuple[str, int], Lift]] = {}
"""(type, body version) -> the step that turns a body of that version into the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What happened to one identity.

    Times are milliseconds since 1970. `event_key` (8 bytes) tells events apart, `digest` (4 bytes) tells two payloads
    under one key apart; `identity` is a pseudonym.
    """

    type: str
    event_key: bytes
    digest: bytes
    identity: str
    occurred_at: int
    received_at: int
    source: str
    body: Body

    @property
    def effective_at(self) -> int:
        """When it counts from: never later than we heard of it."""
        return min(self.occurred_at, self.received_at)

    @property
    def order(self) -> tuple[int, bytes]:
        """What "newest" compares: event time, then event key."""
        return (self.occurred_at, self.event_key)


class FactUndecodable(ValueError):
    """The record is not a fact this version can read; the text says why, never what it held."""


class _Wire(msgspec.Struct, array_like=True, frozen=True, gc=False):
    format: int
    type: str
    body_version: int
    event_key: bytes
    digest: bytes
    identity: str
    occurred_at: int
    received_at: int
    source: str
    key_id: str | None
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_wire_decoder = msgspec.msgpack.Decoder(_Wire)
_body_decoder = msgspec.msgpack.Decoder(dict[str, Any])


def encode_fact(fact: Fact) -> bytes:
    """The record value of a fact on `rapport.events`."""
    body = fact.body.model_dump(exclude_defaults=True)
    return _encoder.encode(
        _Wire(
            format=FORMAT,
            type=fact.type,
            body_version=fact.body.version,
            event_key=fact.event_key,
            digest=fact.digest,
            identity=fact.identity,
            occurred_at=fact.occurred_at,
            received_at=fact.received_at,
            source=fact.source,
            key_id=None,
            body=_encoder.encode(body),
        )
    )


def decode_fact(value: bytes | None) -> Fact:
    """The fact in a record value; older bodies are lifted to today's version. FactUndecodable otherwise."""
    if not value:
        raise FactUndecodable("the record is empty")
    try:
        wire = _wire_decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise FactUndecodable("the record is not a fact") from error
    if wire.format != FORMAT:
        raise FactUndecodable(f"fact format {wire.format} is not known")
    if wire.key_id is not None:
        raise FactUndecodable("the body is sealed and no key is at hand")
    if len(wire.event_key) != 8 or len(wire.digest) != 4:
        raise FactUndecodable("the event key or the digest has another length")
    return Fact(
        type=wire.type,
        event_key=wire.event_key,
        digest=wire.digest,
        identity=wire.identity,
        occurred_at=wire.occurred_at,
        received_at=wire.received_at,
        source=wire.source,
        body=_decode_body(wire),
    )


def _decode_body(wire: _Wire) -> Body:
    model = BODIES.get(wire.type)
    if model is None:
        raise FactUndecodable("the event type is not known")
    try:
        content = _body_decoder.decode(wire.body)
    except msgspec.MsgspecError as error:
        raise FactUndecodable("the body is not a map") from error
    if wire.body_version > model.version:
        raise FactUndecodable(f"body version {wire.body_version} is newer than this program")
    for version in range(wire.body_version, model.version):
        content = LIFTS[wire.type, version](content)
    try:
        return model.model_validate(content, context=FROM_LOG)
    except ValidationError as error:
        raise FactUndecodable(describe(error)) from None


def describe(error: ValidationError) -> str:
    """The first few problems of a validation as `field: what is wrong`, without the values given."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'event'}: {p['msg']}" for p in problems[:5])
