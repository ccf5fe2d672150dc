"""Records on `rapport.events` that admission did not write, or that cannot be folded, and what becomes of them."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from events.fact import Fact, encode_fact
from tests.bad_input.cases import ANNA
from tests.builders import HOUR, NOW, consent, purchased

IDENTITY: Final = f"email:{ANNA}"
GOOD: Final = purchased(ANNA, identity=IDENTITY)
KNOWN: Final = purchased(ANNA, identity=IDENTITY, event_id="till-1")
"""A fact that is folded before each of the records."""
_PARTS: Final[list[Any]] = msgspec.msgpack.decode(encode_fact(GOOD))
_NAMES: Final = (
    "format",
    "type",
    "body_version",
    "event_key",
    "digest",
    "identity",
    "occurred_at",
    "received_at",
    "source",
    "key_id",
    "body",
)


@dataclass(frozen=True, kw_only=True)
class OnTheLog:
    """One record and the reason of its dead letter, or `applied`, or `repeated`; by default under the right key."""

    name: str
    value: bytes | None
    fate: str = "undecodable"
    key: bytes | None = GOOD.identity.encode()
    is_astray: bool = False


def wire(**changed: Any) -> bytes:
    """A good fact with other elements in some places."""
    return msgspec.msgpack.encode([changed.get(name, part) for name, part in zip(_NAMES, _PARTS, strict=True)])


def body(**changed: Any) -> bytes:
    """A good fact with other fields in its body."""
    content: dict[str, Any] = msgspec.msgpack.decode(_PARTS[-1])
    return wire(body=msgspec.msgpack.encode({**content, **changed}))


def encoded(some: Fact) -> bytes:
    """The record of a fact."""
    return encode_fact(some)


BYTES: Final = (
    OnTheLog(name="a tombstone", value=None),
    OnTheLog(name="nothing", value=b""),
    OnTheLog(name="no MessagePack", value=b"\xc1" + ANNA.encode()),
    OnTheLog(name="an event in JSON", value=b'{"subject": "email:anna@example.org"}'),
    OnTheLog(name="a fact cut off", value=encoded(GOOD)[:-5]),
    OnTheLog(name="a fact and more", value=encoded(GOOD) + b"\x00"),
    OnTheLog(name="900 kB of zeros", value=b"\x00" * 900_000),
    OnTheLog(name="nested 10,000 deep", value=b"\x91" * 10_000 + b"\x90"),
    OnTheLog(name="a list of four thousand million", value=b"\xdd\xff\xff\xff\xff"),
    OnTheLog(name="an element too many", value=msgspec.msgpack.encode([*_PARTS, ANNA])),
    OnTheLog(name="an element too few", value=msgspec.msgpack.encode(_PARTS[:-1])),
)

HEADER: Final = (
    OnTheLog(name="an unknown format", value=wire(format=2)),
    OnTheLog(name="an unknown type", value=wire(type=ANNA)),
    OnTheLog(name="a body newer than this program", value=wire(body_version=99)),
    OnTheLog(name="a body of version 0", value=wire(body_version=0)),
    OnTheLog(name="a body under a key we have not", value=wire(key_id=ANNA)),
    OnTheLog(name="an event key of 7 bytes", value=wire(event_key=b"1234567")),
    OnTheLog(name="an identity in clear", value=wire(identity=IDENTITY), key=IDENTITY.encode()),
    OnTheLog(name="an identity with a brace", value=wire(identity="app:{0}"), key=b"app:{0}"),
    OnTheLog(name="a time before 1970", value=wire(occurred_at=-1)),
    OnTheLog(name="a time after 9999", value=wire(received_at=2**62)),
    OnTheLog(name="a time as a fraction", value=wire(occurred_at=1.5)),
)

BODY: Final = (
    OnTheLog(name="a body that is no map", value=wire(body=b"\x90")),
    OnTheLog(name="a body that is no MessagePack", value=wire(body=b"\xc1")),
    OnTheLog(name="a body nested 10,000 deep", value=wire(body=b"\x81\xa1x" * 10_000 + b"\x80")),
    OnTheLog(name="an unknown field in the body", value=body(**{ANNA: 1})),
    OnTheLog(name="a negative amount", value=body(total={"amount": -1, "currency": "EUR"})),
    OnTheLog(name="an amount above 2^53", value=body(total={"amount": 2**53 + 1, "currency": "EUR"})),
    OnTheLog(name="an amount of NaN", value=body(total={"amount": float("nan"), "currency": "EUR"})),
    OnTheLog(name="an amount of infinity", value=body(total={"amount": float("inf"), "currency": "EUR"})),
)

PLACE: Final = (
    OnTheLog(name="no key", value=encoded(GOOD), key=None),
    OnTheLog(name="the key of somebody else", value=encoded(GOOD), key=b"app:" + b"a" * 26),
    OnTheLog(name="a key of 1 MB", value=encoded(GOOD), key=b"x" * 1_000_000),
    OnTheLog(name="the right key in another partition", value=encoded(GOOD), is_astray=True),
)

MEANING: Final = (
    OnTheLog(name="the same fact again", value=encoded(KNOWN), fate="repeated"),
    OnTheLog(
        name="another payload under a known id",
        value=encoded(purchased("other", identity=IDENTITY, event_id="till-1")),
        fate="conflict",
    ),
    OnTheLog(
        name="a purpose there is not",
        value=encoded(consent("given", "no.such.purpose", identity=IDENTITY)),
        fate="unknown_purpose",
    ),
    OnTheLog(
        name="a fact from the future",
        value=encoded(purchased("later", identity=IDENTITY, at=NOW + 24 * 365 * HOUR)),
        fate="applied",
    ),
)

RECORDS: Final = {
    "Bytes": BYTES,
    "Header": HEADER,
    "Body": BODY,
    "Key and partition": PLACE,
    "Meaning": MEANING,
}
