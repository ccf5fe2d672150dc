"""Tokens: what was written can be waited for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.position import Position
from events.tokens import TOKEN_CHARACTERS_MAX, TokenInvalid, decode_token, encode_token, reached

positions = st.builds(Position, st.integers(1, 9), st.integers(0, 31), st.integers(0, 2**40))


@given(st.lists(positions, max_size=40))
def test_a_token_names_the_furthest_position_of_each_partition(written: list[Position]) -> None:
    named = decode_token(encode_token(written))
    assert set(named) <= set(written)
    for position in written:
        [furthest] = [other for other in named if other[:2] == position[:2]]
        assert furthest.offset >= position.offset


@given(st.lists(positions, max_size=40))
def test_a_token_can_stand_in_an_address(written: list[Position]) -> None:
    assert set(encode_token(written)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_token_for_every_partition_of_a_large_log_is_short_enough() -> None:
    token = encode_token(Position(7, partition, 2**40) for partition in range(128))
    assert len(token) <= TOKEN_CHARACTERS_MAX
    assert len(decode_token(token)) == 128


@given(st.text(max_size=40))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        decode_token(text)


@given(st.lists(positions, min_size=1, max_size=4), st.data())
def test_a_changed_token_is_refused(written: list[Position], data: st.DataObject) -> None:
    token = encode_token(written)
    at = data.draw(st.integers(0, len(token) - 2))  # the last character may hold bits that say nothing
    other = data.draw(st.sampled_from("Aa0-_").filter(lambda character: character != token[at]))
    with pytest.raises(TokenInvalid):
        decode_token(token[:at] + other + token[at + 1 :])


@pytest.mark.parametrize("token", ["", "é", "====", "A" * (TOKEN_CHARACTERS_MAX + 1), "\x00", "A"])
def test_hostile_tokens_are_refused(token: str) -> None:
    with pytest.raises(TokenInvalid):
        decode_token(token)


def test_a_position_is_reached_when_the_checkpoint_stands_behind_it() -> None:
    token = [Position(2, 0, 10), Position(2, 1, 5)]
    assert reached(token, {0: (2, 11), 1: (2, 6)})
    assert not reached(token, {0: (2, 10), 1: (2, 6)})
    assert not reached(token, {0: (2, 11)})
    assert not reached(token, {0: (1, 99), 1: (1, 99)})
    assert reached(token, {0: (3, 0), 1: (3, 0)})
