"""Dead letters in a real store: what is kept of a flood of them, and that nothing else is harmed by it."""

import logging
import time

import pytest

from events.position import Stream
from profiles.redis_store import redis_client
from streams.dead_letters import (
    CONTENTS_BYTES_MAX,
    FLOOD,
    ContentsNotKept,
    DeadLetter,
    Undertaker,
    decode_letter,
    unseal,
)
from streams.frame import Record
from streams.memory_dead_letters import MemoryDeadLetters
from streams.redis_dead_letters import RedisDeadLetters
from tests.builders import DAY, MINUTE

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


class Asked(MemoryDeadLetters):
    """Counts how often a key is asked for."""

    times = 0

    async def key_of(self, day: int, *, make: bool) -> bytes | None:
        self.times += 1
        return await super().key_of(day, make=make)


async def test_a_flood_of_poison_costs_one_key_and_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    keys = Asked()
    undertaker = Undertaker(keys=keys)
    midday = NOW // DAY * DAY + DAY // 2

    with caplog.at_level(logging.DEBUG):
        for offset in range(3 * FLOOD):
            await undertaker.entry(
                stream=STREAM,
                epoch=1,
                record=Record(offset, NOW, None, b"{"),
                index=0,
                at=midday + (MINUTE if offset >= 2 * FLOOD else 0),
                reason="not_json",
                detail="",
            )

    assert keys.times == 2
    assert [line.levelname for line in caplog.records] == ["ERROR", "ERROR"]


async def test_the_key_of_another_day_is_another_key() -> None:
    keys = MemoryDeadLetters()
    undertaker = Undertaker(keys=keys)
    for at in (NOW, NOW + DAY, NOW):
        entry = await undertaker.entry(
            stream=STREAM, epoch=1, record=Record(0, NOW, b"k", b"v"), index=0, at=at, reason="not_json", detail=""
        )
        made = decode_letter(entry.payload)
        key = await keys.key_of(at // DAY, make=False)
        assert key is not None
        assert unseal(made, {made.day: key}).value == b"v"


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
    await letters.keep(flood[:4])
    assert not await letters.overflows(flood[0].day)
    await letters.keep(flood[4:])
    assert await letters.overflows(flood[0].day)

    kept = [await letters.find(each.id) for each in flood]
    held = [None if each is None else bool(each.sealed) for each in kept]

    assert held == sorted(held, key=[True, False, None].index)
    assert 0 < held.count(True) < 5
    assert held.count(False) > 0
    assert held.count(None) > 0
    await client.aclose()


async def test_a_letter_kept_whole_is_not_kept_again_without_what_it_held(valkey_url: str) -> None:
    client = redis_client(valkey_url, cluster=False)
    letters = RedisDeadLetters(client, day_bytes_max=4000)
    flood = [await letter(offset, b"x" * 800, letters) for offset in range(8)]
    await letters.keep(flood)
    await letters.keep(flood[:1])

    again = await letters.find(flood[0].id)

    assert again == flood[0]
    await client.aclose()


@pytest.mark.parametrize("name", ["weight", "", "a/b", "*"])
async def test_what_is_no_letter_finds_and_drops_nothing(valkey_url: str, name: str) -> None:
    client = redis_client(valkey_url, cluster=False)
    letters = RedisDeadLetters(client, day_bytes_max=100)
    await letters.keep([await letter(0, b"x" * 800, letters)])
    day = NOW // DAY

    assert await letters.find(name) is None
    await letters.drop(name)

    assert await letters.overflows(day)
    await client.aclose()
