"""The codec of facts: what is written is read back, and everything else is refused by name."""

from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.fact import LIFTS, Fact, FactUndecodable, decode_fact, encode_fact
from events.keys import facet_key
from events.pseudonyms import PSEUDONYM
from events.shape import TIME_MAX, Body, Code, Time, format_time, parse_time
from events.vocabulary import BODIES
from tests.builders import NOW, examples, fact, facts, linked, purchased


@pytest.mark.parametrize("event_type", sorted(BODIES))
def test_every_type_of_fact_is_read_back_as_it_was_written(event_type: str) -> None:
    @examples(30)
    @given(facts(event_type))
    def round_trip(some: Fact) -> None:
        assert decode_fact(encode_fact(some)) == some

    round_trip()


def test_the_format_of_a_fact_stays_what_it_is() -> None:
    golden = (
        "9b01b57472616e73616374696f6e2e70757263686173656401c4081ffc2fab40d4b2d4c4043c7f9df8be6170703a6a73786e"
        "706d7a7a6b33733561786232757468756b6b33616861cf0000019ca8bbb5c0cf0000019ca8bbb5c0a363726dc0c43c83a763"
        "68616e6e656ca3617070a86f726465725f6964a76f726465722d31a5746f74616c82a6616d6f756e74cd03e8a86375727265"
        "6e6379a3455552"
    )
    assert encode_fact(purchased(channel="app")).hex() == golden


def wire(**change: Any) -> bytes:
    """A visit on the wire with some elements changed, by name."""
    names = [
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
    ]
    elements = dict(zip(names, msgspec.msgpack.decode(encode_fact(fact("service.visited", place="x"))), strict=True))
    return msgspec.msgpack.encode([(elements | change)[name] for name in names])


def body(**content: Any) -> bytes:
    return msgspec.msgpack.encode(content)


def undecodable(value: bytes | None) -> str:
    with pytest.raises(FactUndecodable) as raised:
        decode_fact(value)
    return str(raised.value)


def test_an_unchanged_wire_is_a_fact() -> None:
    assert decode_fact(wire()) == fact("service.visited", place="x")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"format": 2}, "format 2"),
        ({"format": 0}, "format 0"),
        ({"format": "1"}, "not a fact"),
        ({"type": "service.unheard_of"}, "type"),
        ({"body_version": 2}, "newer"),
        ({"body_version": 0}, "not a fact"),
        ({"body_version": -(2**62)}, "not a fact"),
        ({"event_key": b"short"}, "not a fact"),
        ({"digest": b"12345"}, "not a fact"),
        ({"identity": "app:42"}, "pseudonym"),
        ({"identity": ""}, "pseudonym"),
        ({"identity": "app:{*}"}, "pseudonym"),
        ({"occurred_at": -1}, "not a fact"),
        ({"occurred_at": 2**63}, "not a fact"),
        ({"received_at": TIME_MAX + 1}, "not a fact"),
        ({"key_id": "2026-03"}, "sealed"),
        ({"body": b""}, "body"),
        ({"body": b"\xc1"}, "body"),
        ({"body": body(place=7)}, "place"),
        ({"body": body(place="x", more=1)}, "Extra"),
        ({"body": body()}, "place"),
        ({"body": msgspec.msgpack.encode([1])}, "body"),
        ({"body": msgspec.msgpack.encode({1: 2})}, "body"),
        ({"body": b"\x91" * 10_000 + b"\x90"}, "body"),
        ({"body": b"\x81\xa1a" * 10_000 + b"\x80"}, "body"),
    ],
)
def test_a_wire_that_is_no_fact_says_why(change: dict[str, Any], word: str) -> None:
    assert word in undecodable(wire(**change))


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xc1", b"\x90", b"\x91" * 10_000, msgspec.msgpack.encode({})])
def test_what_is_not_on_the_wire_is_no_fact(value: bytes | None) -> None:
    assert undecodable(value)


def test_an_error_never_repeats_what_the_record_held() -> None:
    secret = {"type": "secret", "identity": "secret", "key_id": "secret", "source": 5, "body": body(secret="secret")}
    for name, value in secret.items():
        assert "secret" not in undecodable(wire(**{name: value}))


def test_the_other_side_of_a_link_must_be_a_pseudonym_too() -> None:
    half, _ = linked("app:1", "app:2")
    for other in ("app:{*}", "app:2"):
        clear = msgspec.msgpack.encode({"other": other, "strength": "verified", "reason": "r"})
        assert "pseudonym" in undecodable(wire(type=half.type, body=clear))


def test_the_identities_of_an_erasure_must_be_pseudonyms_too() -> None:
    sound = fact("service.visited", place="x").identity
    erased = wire(type="rights.erased", body=body(request_id="r-1", identities=[sound]))
    assert decode_fact(erased).type == "rights.erased"
    for other in ("app:2", "app:{*}"):
        assert "pseudonym" in undecodable(
            wire(type="rights.erased", body=body(request_id="r-1", identities=[sound, other]))
        )


@examples(300)
@given(facts(), st.data())
def test_mutated_bytes_end_in_a_fact_or_a_named_error(some: Fact, data: st.DataObject) -> None:
    raw = bytearray(encode_fact(some))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                raw[at] = data.draw(st.integers(0, 255))
            case "cut":
                del raw[at : at + data.draw(st.integers(1, 8))]
            case _:
                raw[at:at] = data.draw(st.binary(min_size=1, max_size=4))
        if not raw:
            break
    try:
        read = decode_fact(bytes(raw))
    except FactUndecodable:
        return
    assert PSEUDONYM.fullmatch(read.identity)
    assert facet_key(1, read.identity)
    assert format_time(read.occurred_at)
    assert decode_fact(encode_fact(read)) == read


# Lifting: `service.visited` as three versions of a program would know it.


class VisitedToday(Body):
    event_type: ClassVar[str] = "service.visited"
    version: ClassVar[int] = 3

    place: Code
    arrived_at: Time | None = None


TODAY = {"service.visited": VisitedToday}
STEPS = {
    ("service.visited", 1): lambda old: {"place": old["shop"]},
    ("service.visited", 2): lambda old: old | {"arrived_at": NOW},
}


def test_an_old_body_is_lifted_step_by_step() -> None:
    read = decode_fact(wire(body_version=1, body=body(shop="berlin")), bodies=TODAY, lifts=STEPS)
    assert read.body == VisitedToday.model_validate({"place": "berlin", "arrived_at": format_time(NOW)})


def test_a_body_of_a_middle_version_takes_only_the_steps_it_needs() -> None:
    read = decode_fact(wire(body_version=2, body=body(place="paris")), bodies=TODAY, lifts=STEPS)
    assert read.body.model_dump(exclude_defaults=True) == {"place": "paris", "arrived_at": NOW}


@pytest.mark.parametrize("content", [{}, {"shop": 5}, {"shop": None}, {"shop": ["x"]}])
def test_a_damaged_old_body_is_a_named_error(content: dict[str, Any]) -> None:
    with pytest.raises(FactUndecodable):
        decode_fact(wire(body_version=1, body=body(**content)), bodies=TODAY, lifts=STEPS)


def test_a_missing_step_is_a_named_error() -> None:
    with pytest.raises(FactUndecodable, match="lifted"):
        decode_fact(wire(body_version=1, body=body(shop="x")), bodies=TODAY, lifts={})


def test_there_is_a_step_for_every_older_version_of_every_body() -> None:
    needed = {(name, version) for name, model in BODIES.items() for version in range(1, model.version)}
    assert set(LIFTS) == needed


# Times


@given(st.integers(0, TIME_MAX))
def test_a_time_is_read_back_to_the_millisecond(at: int) -> None:
    assert parse_time(format_time(at)) == at


def test_the_last_time_there_is_can_be_written() -> None:
    assert format_time(TIME_MAX) == "9999-12-31T23:59:59.999Z"
