"""A fact: an event after admission, and its form on the log.

On the wire a fact is one MessagePack array: format, header, `key_id`, body. The body is MessagePack again, so that
it can be sealed as a whole; `key_id` is None while it is clear. A sealed one is a nonce, then digest and body under
AES-256-GCM, bound to the header; the digest of the header is zero then, since it tells of what was sent.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError

from events.acts import Erased
from events.pseudonyms import PSEUDONYM
from events.sealed_bytes import SealBroken, open_bytes, seal_bytes
from events.shape import FROM_LOG, TIME_MAX, Body, Shape
from events.vocabulary import BODIES, TWO_SIDED

FORMAT: Final = 1

Lift = Callable[[dict[str, Any]], dict[str, Any]]

_DIGEST_BYTES: Final = 4
_NO_DIGEST: Final = bytes(_DIGEST_BYTES)

LIFTS: Final[Mapping[tuple[str, int], Lift]] = {}
"""(type, body version) -> the step that turns a body of that version into the next one."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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


_Millis = Annotated[int, msgspec.Meta(ge=0, le=TIME_MAX)]


class Wire(msgspec.Struct, array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """A fact as it stands on the log: the header can be read, the body only where `key_id` is None."""

    format: int
    type: str
    body_version: Annotated[int, msgspec.Meta(ge=1)]
    event_key: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
    digest: Annotated[bytes, msgspec.Meta(min_length=_DIGEST_BYTES, max_length=_DIGEST_BYTES)]
    identity: str
    occurred_at: _Millis
    received_at: _Millis
    source: str
    key_id: str | None
    body: bytes


class BodyKey(NamedTuple):
    """What seals and opens bodies, and the id that stands in the header of those."""

    id: str
    cipher: AESGCM


_encoder = msgspec.msgpack.Encoder()
_wire_decoder = msgspec.msgpack.Decoder(Wire)
_body_decoder = msgspec.msgpack.Decoder(dict[str, Any])


def encode_fact(fact: Fact, *, key: BodyKey | None = None) -> bytes:
    """The record value of a fact on `rapport.events`; in clear where no key is given."""
    body = _encoder.encode(fact.body.model_dump(exclude_defaults=True))
    digest, key_id = fact.digest, None
    if key is not None:
        digest, key_id = _NO_DIGEST, key.id
    wire = Wire(
        format=FORMAT,
        type=fact.type,
        body_version=fact.body.version,
        event_key=fact.event_key,
        digest=digest,
        identity=fact.identity,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        source=fact.source,
        key_id=key_id,
        body=body,
    )
    if key is None:
        return _encoder.encode(wire)
    sealed = seal_bytes(key.cipher, fact.digest + body, bound=_bound(wire))
    return _encoder.encode(msgspec.structs.replace(wire, body=sealed))


def read_wire(value: bytes | None) -> Wire:
    """The envelope in a record value, its body unread. FactUndecodable where it is none of this format."""
    if not value:
        raise FactUndecodable("the record is empty")
    try:
        wire = _wire_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FactUndecodable("the record is not a fact") from error
    if wire.format != FORMAT:
        raise FactUndecodable(f"fact format {wire.format} is not known")
    return wire


def decode_fact(
    value: bytes | None,
    *,
    bodies: Mapping[str, type[Body]] = BODIES,
    lifts: Mapping[tuple[str, int], Lift] = LIFTS,
) -> Fact:
    """The fact in a record value in clear; FactUndecodable otherwise."""
    return fact_of(read_wire(value), bodies=bodies, lifts=lifts)


def fact_of(
    wire: Wire,
    *,
    key: BodyKey | None = None,
    bodies: Mapping[str, type[Body]] = BODIES,
    lifts: Mapping[tuple[str, int], Lift] = LIFTS,
) -> Fact:
    """The fact in an envelope, opened with the key it names; older bodies are lifted to today's version.

    FactUndecodable otherwise, and where key or header are not those it was sealed with.
    """
    digest, raw = (wire.digest, wire.body) if wire.key_id is None else _unsealed(wire, key)
    body = _decode_body(wire, raw, bodies, lifts)
    if not PSEUDONYM.fullmatch(wire.identity) or not all(map(PSEUDONYM.fullmatch, _others(wire.type, body))):
        raise FactUndecodable("an identity is not a pseudonym")
    return Fact(
        type=wire.type,
        event_key=wire.event_key,
        digest=digest,
        identity=wire.identity,
        occurred_at=wire.occurred_at,
        received_at=wire.received_at,
        source=wire.source,
        body=body,
    )


def _unsealed(wire: Wire, key: BodyKey | None) -> tuple[bytes, bytes]:
    """Digest and body of a sealed fact."""
    if key is None or key.id != wire.key_id:
        raise FactUndecodable("the body is sealed and no key is at hand")
    if wire.digest != _NO_DIGEST:
        raise FactUndecodable("the header of a sealed body tells a digest")
    try:
        said = open_bytes(key.cipher, wire.body, bound=_bound(wire))
    except SealBroken as error:
        raise FactUndecodable("the body does not open: it, the header or the key was altered") from error
    return said[:_DIGEST_BYTES], said[_DIGEST_BYTES:]


def _bound(wire: Wire) -> bytes:
    """What a body is bound to: everything that stands in front of it."""
    return _encoder.encode(
        (
            wire.format,
            wire.type,
            wire.body_version,
            wire.event_key,
            wire.identity,
            wire.occurred_at,
            wire.received_at,
            wire.source,
            wire.key_id,
        )
    )


def _others(event_type: str, body: Body) -> tuple[str, ...]:
    if event_type in TWO_SIDED:
        return (getattr(body, "other"),)  # noqa: B009 - every two-sided body has `other`; see the test
    # By its name: to ask for the class of a pydantic object is dear.
    return body.identities if event_type == Erased.event_type and isinstance(body, Erased) else ()


def _decode_body(
    wire: Wire, raw: bytes, bodies: Mapping[str, type[Body]], lifts: Mapping[tuple[str, int], Lift]
) -> Body:
    model = bodies.get(wire.type)
    if model is None:
        raise FactUndecodable("the event type is not known")
    try:
        content = _body_decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise FactUndecodable("the body is not a map") from error
    if wire.body_version != model.version:
        content = _lifted(content, wire, model.version, lifts)
    try:
        # What `model_validate` calls; it costs this path a tenth to go through it.
        body: Body = model.__pydantic_validator__.validate_python(content, context=FROM_LOG)
    except ValidationError as error:
        raise FactUndecodable(describe(error)) from None
    return body


def _lifted(content: dict[str, Any], wire: Wire, version: int, lifts: Mapping[tuple[str, int], Lift]) -> dict[str, Any]:
    if wire.body_version > version:
        raise FactUndecodable(f"body version {wire.body_version} is newer than this program")
    try:
        for older in range(wire.body_version, version):
            content = lifts[wire.type, older](content)
    except Exception as error:  # a step made for whole bodies may stumble over a damaged one
        raise FactUndecodable(f"the body of version {wire.body_version} cannot be lifted") from error
    return content


def describe(error: ValidationError) -> str:
    """The first few problems of a validation as `field: what is wrong`, without the values or names given."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{_place(p['loc']) or 'event'}: {p['msg']}" for p in problems[:5])


def _place(location: tuple[int | str, ...]) -> str:
    # A name we do not know was written by the sender, and may be anything: `jane@example.com` as a key.
    return ".".join(str(part) if isinstance(part, int) or part in _field_names() else "?" for part in location)


@cache
def _field_names() -> frozenset[str]:
    return frozenset(name for shape in _shapes(Shape) for name in shape.model_fields)


def _shapes(shape: type[Shape]) -> Iterator[type[Shape]]:
    yield shape
    for below in shape.__subclasses__():
        yield from _shapes(below)
