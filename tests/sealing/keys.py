"""Keys for tests, in every place they can be kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from consent.retention import kind_of
from events.body_keys import BodyKeys, KeyMaker
from events.memory_body_keys import MemoryBodyKeys
from events.redis_body_keys import RedisBodyKeys
from events.sealing import Sealing
from events.sqlite_body_keys import SqliteBodyKeys
from tests.servers import Valkey

MAKER: Final = KeyMaker(b"m" * 32)
KINDS: Final = ["memory", "sqlite", pytest.param("redis", marks=pytest.mark.servers)]


@contextmanager
def keys_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[BodyKeys]:
    """An empty place for keys."""
    if kind == "memory":
        yield MemoryBodyKeys()
    elif kind == "sqlite":
        with_file = SqliteBodyKeys(folder / "keys" / "bodies.sqlite")
        yield with_file
        with_file.close()
    else:
        server: Valkey = request.getfixturevalue("valkey")
        with_server = RedisBodyKeys(server.url)
        yield with_server
        with_server.close()


def sealing_over(keys: BodyKeys, **changed: object) -> Sealing:
    """The sealing of one process."""
    return Sealing(**{"keys": keys, "maker": MAKER, "kind": kind_of, **changed})  # type: ignore[arg-type]
