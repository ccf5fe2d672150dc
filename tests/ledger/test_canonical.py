"""Canonical JSON against the examples of RFC 8785."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger_canonical import NotCanonical, canonical
from events.shape import INTEGER_MAX
from tests.ledger.ledgers import unhurried

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_keys_are_sorted_as_the_standard_shows() -> None:
    # RFC 8785, 3.2.3
    unsorted = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }

    assert list(json.loads(canonical(unsorted)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_texts_are_written_as_the_standard_shows() -> None:
    # RFC 8785, 3.2.2, without its fractions
    said = {"string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", "literals": [None, True, False]}

    assert canonical(said).hex() == (
        '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode().hex()
    )


@unhurried
@given(VALUES)
def test_what_is_read_back_is_what_was_written_and_is_written_the_same(value: Any) -> None:
    written = canonical(value)

    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written


def test_order_and_tuples_make_no_difference() -> None:
    assert canonical({"b": (1, 2), "a": {}}) == canonical({"a": {}, "b": [1, 2]}) == b'{"a":{},"b":[1,2]}'


@pytest.mark.parametrize("value", [1.5, float("nan"), 2**53 + 1, {1: "x"}, "\ud800", {"\ud800": 1}, b"x", {"a": {1.0}}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)
