"""Dead letters in a real store: what is kept of a flood of them, and that nothing else is harmed by it."""

import time

import pytest

from events.position import Stream
from profiles.redis_store import redis_client
from streams.dead_letters import CONTENTS_BYTES_MAX, ContentsNotKept, DeadLetter, Undertaker, decode_letter, unseal
from streams.frame import Record
from streams.memory_dead_letters import MemoryDeadLetters
from streams.redis_dead_letters import RedisDeadLetters
from tests.builders import DAY

NOW = time.time_ns() // 1_000_000
"""The store's letters of the last fourteen days are looked at, counted from now."""
STREAM = Stream("profiles", "rapport.intake", 0)


async def letter(offset: int, value: bytes, keys: MemoryDeadLetters | RedisDeadLetters) -> DeadLetter:
    entry = await Undertaker(keys=keys).entry(
        stream=STREAM,
        epoch=1,
        record=Record(offset, NOW, b"app:42", value),
        index=0,
        at=NOW,
        reason="not_json",
        detail="not valid JSON",
    )
    return decode_letter(entry.payload)


async def test_a_record_too_large_for_an_event_is_set_aside_without_what_it_held() -> None:
    keys = MemoryDeadLetters()
    key = await keys.key_of(NOW // DAY, make=True)
    assert key is not None

    small, large = await letter(0, b"x" * 1000, keys), await letter(1, b"x" * CONTENTS_BYTES_MAX, keys)

    assert unseal(small, {small.day: key}).value == b"x" * 1000
    assert len(large.sealed) == 0
    with pytest.raises(ContentsNotKept):
        unseal(large, {large.day: key})


async def test_a_flood_is_kept_then_noted_then_counted(valkey_url: str) -> None:
    client = redis_client(valkey_url, cluster=False)
    letters = RedisDeadLetters(client, day_bytes_max=4000)
    flood = [await letter(offset, b"x" * 800, letters) for offset in range(20)]
    await letters.keep(flood)

    kept = [await letters.find(each.id) for each in flood]
    held = [None if each is None else bool(each.sealed) for each in kept]

    assert held == sorted(held, key=[True, False, None].index)
    assert 0 < held.count(True) < 5
    assert held.count(False) > 0
    assert held.count(None) > 0
    await client.aclose()
