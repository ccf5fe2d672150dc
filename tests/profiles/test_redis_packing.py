"""What goes over the wire is what the client library would have sent, only packed sooner."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import DataError

from profiles.redis_store import redis_client

URLS = ("redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0", "unix:///nowhere.sock")
words = st.lists(st.text(max_size=40) | st.binary(max_size=40) | st.integers() | st.floats(allow_nan=False), max_size=6)


def connection(url: str) -> Any:
    client = redis_client(url, cluster=False)
    assert isinstance(client, Redis)
    return client.connection_pool.make_connection()  # type: ignore[no-untyped-call]


@given(st.sampled_from(["GET", "FCALL", "FUNCTION LOAD"]), words)
def test_a_command_is_packed_as_the_library_packs_it(command: str, rest: list[Any]) -> None:
    packed = b"".join(connection(URLS[0]).pack_command(command, *rest))
    assert packed == b"".join(Connection().pack_command(command, *rest))


@pytest.mark.parametrize("url", URLS)
def test_every_kind_of_address_packs_alike(url: str) -> None:
    assert b"".join(connection(url).pack_command("SET", "k", b"v")) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"


@pytest.mark.parametrize("word", [None, {}, object()])
def test_a_word_that_cannot_be_sent_is_refused(word: object) -> None:
    with pytest.raises(DataError):
        connection(URLS[0]).pack_command("SET", "k", word)
