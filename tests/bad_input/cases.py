"""What a sender can get wrong, or do on purpose, and what becomes of it at each door."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from events.admission import EVENT_BYTES_MAX
from tests.builders import NOW, event, money, raw

ANNA: Final = "anna@example.org"
"""Stands in everything that is sent; wherever it turns up outside a sealed letter, contents have leaked."""
KEY: Final = f"email:{ANNA}".encode()
ADMITTED: Final = "admitted"


def purchase(**changed: Any) -> dict[str, Any]:
    """A purchase of Anna's; `changed` replaces attributes."""
    return event("transaction.purchased", subject=f"email:{ANNA}", order_id="o-1", total=money(5)) | changed


BOUGHT: Final = raw(purchase())


def amount(text: str) -> bytes:
    """A purchase over an amount as it is written."""
    return BOUGHT.replace(b'"amount": 5', b'"amount": ' + text.encode())


def data(**said: Any) -> bytes:
    """A purchase with other data."""
    return raw(purchase(data={"order_id": "o-1", "total": money(5), **said}))


def subject(identity: str) -> bytes:
    """A purchase of another identity, with Anna in its data."""
    return raw(purchase(subject=identity, data={"order_id": ANNA, "total": money(5)}))


@dataclass(frozen=True, kw_only=True)
class Event:
    """One record of the intake, or one body for the HTTP intake, with its fate at either door.

    `intake` is the reason of the dead letter, or `admitted`; `http` is status and problem, with the code of the event
    where it is one of a batch; None: it cannot come that way.
    """

    name: str
    sent: bytes | None
    intake: str | None
    http: str | None
    key: bytes | None = KEY
    headers: tuple[tuple[str, bytes], ...] = ()


def _not_json(name: str, sent: bytes | None) -> Event:
    return Event(name=name, sent=sent, intake="not_json", http="400 not-json")


def _refused(name: str, sent: bytes, code: str) -> Event:
    return Event(name=name, sent=sent, intake=code, http=f"422 nothing-admitted: {code}")


def _admitted(name: str, sent: bytes) -> Event:
    return Event(name=name, sent=sent, intake=ADMITTED, http="202")


def _any_key(name: str, key: bytes | None) -> Event:
    return Event(name=name, sent=BOUGHT, key=key, intake=ADMITTED, http=None)


TEXT: Final = (
    _not_json("no JSON at all", f"{ANNA} bought it".encode()),
    _not_json("cut off", BOUGHT[:-10]),
    _not_json("two events in one record", BOUGHT + BOUGHT),
    _not_json("not UTF-8", BOUGHT.replace(b"o-1", b"\xff\xfe")),
    _not_json("half a surrogate pair as bytes", BOUGHT.replace(b"o-1", b"\xed\xa0\x80")),
    _not_json("UTF-16", BOUGHT.decode().encode("utf-16")),
    _not_json("a byte order mark", b"\xef\xbb\xbf" + BOUGHT),
    _not_json("nothing", b""),
    _not_json("a tombstone", None),
    _not_json("nested 10,000 deep", data(lines="?").replace(b'"?"', b"[" * 10_000 + b"]" * 10_000)),
    _not_json("nested 10,000 deep and left open", b'{"a":' * 10_000),
    _not_json("a key twice", BOUGHT.replace(b'{"order_id"', b'{"order_id": "o-2", "order_id"')),
    _not_json("an attribute twice", BOUGHT.replace(b'{"specversion"', b'{"id": "1", "specversion"')),
    _not_json("NaN", amount("NaN")),
    _not_json("Infinity", amount("-Infinity")),
    _not_json("a raw NUL in a text", BOUGHT.replace(b"o-1", b"o\x001")),
    _not_json("a raw newline in a text", BOUGHT.replace(b"o-1", b"o\n1")),
    _not_json("a number of 5,000 digits", amount("9" * 5000)),
    Event(
        name="10 MB",
        sent=data(lines="x" * 10_000_000),
        intake="too_large",
        http="413 too-large",
    ),
    _refused("a byte more than an event may have", data(lines="x" * EVENT_BYTES_MAX), "too_large"),
    Event(name="a list", sent=b"[" + BOUGHT + b"]", intake="not_an_event", http="202"),
    _refused("a number", b"7", "not_an_event"),
)

ENVELOPES: Final = (
    *(
        _refused(f"no `{name}`", raw({key: value for key, value in purchase().items() if key != name}), "not_an_event")
        for name in ("specversion", "id", "source", "type", "subject", "time", "data")
    ),
    _refused("an unknown version of CloudEvents", raw(purchase(specversion="2.0")), "not_an_event"),
    _refused("another content type", raw(purchase(datacontenttype="text/xml")), "not_an_event"),
    _refused("an attribute name that is none", raw(purchase(**{f"Has {ANNA}": 1})), "not_an_event"),
    _refused("an id of 64 kB", raw(purchase(id="x" * 65536)), "not_an_event"),
    _refused("a newline in the source", raw(purchase(source="crm\ncrm")), "not_an_event"),
    _refused("data that is a text", raw(purchase(data=ANNA)), "not_an_event"),
    _refused("an unknown type", raw(purchase(type="transaction.unheard_of")), "unknown_type"),
    _refused("a type that is the system's own", raw(purchase(type="rights.erased")), "type_not_allowed"),
    Event(
        name="a consent on the open intake",
        sent=raw(event("consent.given", subject=f"email:{ANNA}", purpose="profile.build")),
        intake="type_not_allowed",
        http="202",
    ),
    Event(
        name="the source of somebody else",
        sent=raw(purchase(source="shop")),
        intake=ADMITTED,
        http="422 nothing-admitted: type_not_allowed",
    ),
)

TIMES: Final = (
    _refused("a time 24 hours and a second ahead", raw(purchase(time="2026-03-02T09:30:01Z")), "bad_time"),
    _refused("the last moment of the year 9999", raw(purchase(time="9999-12-31T23:59:59.999Z")), "bad_time"),
    _refused("the year 10000", raw(purchase(time="10000-01-01T00:00:00Z")), "not_an_event"),
    _refused("before 1970", raw(purchase(time="1969-12-31T23:59:59Z")), "not_an_event"),
    _refused("a day there is not", raw(purchase(time="2026-02-30T12:00:00Z")), "not_an_event"),
    _refused("a second 60 by day", raw(purchase(time="2026-02-28T12:00:60Z")), "not_an_event"),
    _refused("no zone", raw(purchase(time="2026-03-01T09:30:00")), "not_an_event"),
    _refused("a zone of 99 hours", raw(purchase(time="2026-03-01T09:30:00+99:00")), "not_an_event"),
    _refused("a time as a number", raw(purchase(time=NOW)), "not_an_event"),
    _admitted("24 hours ahead", raw(purchase(time="2026-03-02T09:30:00Z"))),
    _admitted("the first moment of 1970", raw(purchase(time="1970-01-01T00:00:00Z"))),
    _admitted("a leap second", raw(purchase(time="2016-12-31T23:59:60Z"))),
)

NUMBERS: Final = (
    *(
        _refused(f"an amount of {text}", amount(text), "bad_data")
        for text in ("-1", "1e400", "1e-400", "1e3", "5.0", "19.99", '"5"', "true", "null", "9007199254740993")
    ),
    _refused("an amount of 400 digits", amount("9" * 400), "bad_data"),
    _refused("a quantity of -1", data(lines=[{"item": ANNA, "quantity": -1}]), "bad_data"),
    _admitted("an amount of 2^53", amount("9007199254740992")),
)

DATA: Final = (
    _refused("an unknown field", data(**{ANNA: 1}), "bad_data"),
    _refused("a field left out", raw(purchase(data={"total": money(5), "lines": []})), "bad_data"),
    _refused("101 lines", data(lines=[{"item": "x"}] * 101), "bad_data"),
    _refused("a NUL in an id", data(order_id="o\x001"), "bad_data"),
    _refused("half a surrogate pair in an id", data(order_id="o\ud83d"), "bad_data"),
    _refused("a newline in an id", data(order_id="o-1\n"), "bad_data"),
    _refused("a currency of another script", data(total=money(5, "ЕUR")), "bad_data"),
    _refused(
        "what only admission sets",
        raw(event("identity.related", subject=f"email:{ANNA}", other="app:1", kind="contact", inverse=True)),
        "bad_data",
    ),
)

IDENTITIES: Final = (
    *(
        _admitted(f"an identity {name}", subject(f"app:{value}"))
        for name, value in {
            "of a brace": "{",
            "of the other brace": "}",
            "of a hash tag": "{0}",
            "of a star": "*",
            "of a glob": "a*b?c[d]",
            "of a path": "../../x",
            "of a format": "%s%n{0}",
            "of an SQL quote": "'; drop table",
            "of an emoji": "😀",
            "of look-alikes": "аnnа",
            "written from right to left": "\u202eanna",
            "of a zero width joiner": "an\u200dna",
            "with more colons": "a:b:c",
        }.items()
    ),
    *(
        _refused(f"an identity {name}", subject(value), "not_an_event")
        for name, value in {
            "with a newline": "app:a\nb",
            "with a NUL": "app:\x00",
            "with a DEL": "app:\x7f",
            "of 64 kB": "app:" + "x" * 65536,
            "of 257 characters": "app:" + "x" * 257,
            "without a value": "app:",
            "without a namespace": ":42",
            "without both": "",
            "without a colon": "app",
            "in capitals": "APP:42",
            "of a namespace with a star": "*:1",
            "of half a surrogate pair": "app:\ud83d",
        }.items()
    ),
    *(
        _refused(f"an identity {name}", subject(value), "bad_identity")
        for name, value in {
            "of a space": "app: ",
            "of a line separator": "app:a\u2028b",
            "of a control character of Latin-1": "app:a\u0085b",
            "of a phone that is none": "phone:call me",
            "of an address without a host": "email:anna@",
        }.items()
    ),
)

KEYS: Final = (
    _any_key("no key", None),
    _any_key("an empty key", b""),
    _any_key("a key of 1 MB", b"x" * 1_000_000),
    _any_key("a key of NUL bytes", b"\x00" * 8),
    _any_key("a key that is not UTF-8", b"\xff\xfe"),
    _any_key("the key of somebody else", b"app:somebody"),
    Event(name="1,000 headers", sent=BOUGHT, headers=(("x", b"y" * 100),) * 1000, intake=ADMITTED, http=None),
    Event(
        name="the version of the system as a header",
        sent=BOUGHT,
        headers=(("ce_type", b"rights.erased"),),
        intake=ADMITTED,
        http=None,
    ),
)

EVENTS: Final[Mapping[str, tuple[Event, ...]]] = {
    "Text": TEXT,
    "Envelope": ENVELOPES,
    "Time": TIMES,
    "Numbers": NUMBERS,
    "Data": DATA,
    "Identity": IDENTITIES,
    "Key and headers of the record": KEYS,
}
