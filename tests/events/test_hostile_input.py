"""Hostile bytes at the door: each ends in a refusal with a code, soon, and with nothing repeated."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.admission import DEPTH_MAX, EVENT_BYTES_MAX, INTAKE, EventRefused, parse_json
from events.pseudonyms import PSEUDONYM
from tests.builders import ADMISSION, NOW, event, raw

VISIT = raw(event("service.visited", place="berlin"))
SOON_S = 1.0
"""Far above what a refusal takes, far below what a quadratic scan of the largest event would."""


def verdict(sent: bytes) -> str:
    """The code of the refusal, or `admitted`."""
    began = time.process_time()
    answer = ADMISSION.admit(sent, door=INTAKE, received_at=NOW)
    assert time.process_time() - began < SOON_S
    return answer.code if isinstance(answer, EventRefused) else "admitted"


def with_data(text: str) -> bytes:
    return VISIT.replace(b'{"place": "berlin"}', text.encode())


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b" ",
        b"\x00",
        b"not json",
        b"{",
        VISIT[:-1],
        VISIT[: len(VISIT) // 2],
        VISIT + b"x",
        VISIT + VISIT,
        b"\xef\xbb\xbf" + VISIT,
        VISIT.replace(b"berlin", b"\xff\xfe"),
        VISIT.replace(b"berlin", b"\xed\xa0\x80"),
        VISIT.replace(b"berlin", b"a\x00b"),
        VISIT.replace(b"berlin", b"a\nb"),
        VISIT.decode().encode("utf-16"),
        b"{'type': 'service.visited'}",
        with_data('{"place": "berlin", "place": "paris"}'),
        VISIT.replace(b'{"specversion"', b'{"id": "1", "specversion"'),
        with_data('{"place": NaN}'),
        with_data('{"place": Infinity}'),
        with_data('{"place": -Infinity}'),
        with_data('{"place": ' + "9" * 5000 + "}"),
        with_data('{"place": ' + "[" * 10_000 + "]" * 10_000 + "}"),
        b"[" * 10_000,
        b'{"a":' * 10_000,
    ],
)
def test_what_is_not_plain_json_is_refused(sent: bytes) -> None:
    assert verdict(sent) == "not_json"


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-400", "9" * 400, "-0", "0.1", "1E2"])
def test_a_number_of_any_size_where_a_word_belongs_is_bad_data(number: str) -> None:
    assert verdict(with_data(f'{{"place": {number}}}')) == "bad_data"


def test_ten_megabytes_are_refused_before_they_are_parsed() -> None:
    assert verdict(b"[" * 10_000_000) == "too_large"
    assert verdict(with_data('{"place": "' + "x" * 10_000_000 + '"}')) == "too_large"


def test_the_size_limit_is_exact() -> None:
    padding = EVENT_BYTES_MAX - len(VISIT)
    assert verdict(VISIT + b" " * padding) == "admitted"
    assert verdict(VISIT + b" " * (padding + 1)) == "too_large"


def test_the_depth_limit_is_exact() -> None:
    deepest = "[" * DEPTH_MAX + "]" * DEPTH_MAX
    assert not isinstance(parse_json(deepest.encode()), EventRefused)
    assert isinstance(parse_json(f"[{deepest}]".encode()), EventRefused)


def test_brackets_within_a_text_are_no_depth() -> None:
    text = "[{" * 100 + '\\"' + "[" * 100
    sent = raw(event("feedback.review_posted", review_id="r", score=5, text=text))
    assert verdict(sent) == "admitted"


@pytest.mark.parametrize(
    "filler",
    [b'"' + b'\\"' * 130_000, b'"' * 250_000, b"\\" * 250_000, b'"\\' * 125_000, b"[]" * 125_000, b'"[' * 125_000],
)
def test_no_text_makes_the_depth_check_slow(filler: bytes) -> None:
    assert verdict(b"[]" * (DEPTH_MAX + 1) + filler[: EVENT_BYTES_MAX - 100]) == "not_json"


@pytest.mark.parametrize(
    "value", ["{", "}", "{0}", "*", "a*b?c[d]", "a b", "../../x", "%s%n", "'; drop table", "😀", "a:b:c", "{{x}}"]
)
def test_an_identity_of_any_characters_becomes_a_harmless_pseudonym(value: str) -> None:
    answer = ADMISSION.admit(
        raw(event("service.visited", subject=f"app:{value}", place="x")), door=INTAKE, received_at=NOW
    )
    assert not isinstance(answer, EventRefused)
    assert PSEUDONYM.fullmatch(answer[0].fact.identity)


@pytest.mark.parametrize(
    "subject",
    ["app:\n", "app:a\nb", "app:a\r", "app:\x00", "app:\x7f", "app:" + "x" * 65536, "app:\ud800", "{app}:1", "*:1", ""],
)
def test_an_identity_that_could_break_something_is_refused(subject: str) -> None:
    assert verdict(raw(event("service.visited", subject=subject, place="x"))) == "not_an_event"


@pytest.mark.parametrize("name", ["id", "subject", "source", "time", "type", "specversion"])
@pytest.mark.parametrize("value", ["\ud800", "\x00", "a\u0000b", "\udfff\ud800", "x" * 70_000, {}, [], 0, None, 1.5])
def test_no_attribute_of_a_strange_kind_breaks_admission(name: str, value: Any) -> None:
    said = event("service.visited", place="x") | {name: value}
    assert verdict(raw(said)) in {"admitted", "not_an_event", "unknown_type"}


def test_a_surrogate_in_a_text_is_refused() -> None:
    said = event("feedback.review_posted", review_id="r", score=5, text="half a \ud83d")
    assert verdict(raw(said)) == "bad_data"


def test_a_surrogate_in_an_extension_breaks_nothing() -> None:
    assert verdict(raw(event("service.visited", place="x") | {"note": "\ud83d"})) == "admitted"


def test_a_key_with_a_surrogate_is_refused() -> None:
    assert verdict(raw(event("identity.described", attributes={"\ud83d": "x"}))) == "bad_data"


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_refusal(sent: bytes) -> None:
    assert verdict(sent) != "admitted"


@given(st.integers(0, len(VISIT) - 1), st.integers(0, 255))
def test_any_byte_of_an_event_may_change_without_breaking_admission(at: int, byte: int) -> None:
    verdict(VISIT[:at] + bytes([byte]) + VISIT[at + 1 :])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_any_json_ends_in_a_refusal(value: Any) -> None:
    assert verdict(json.dumps(value).encode()) != "admitted"


@given(json_values)
def test_any_json_as_data_ends_in_a_refusal_or_a_fact(value: Any) -> None:
    said = event("identity.described") | {"data": value}
    verdict(json.dumps(said).encode())
