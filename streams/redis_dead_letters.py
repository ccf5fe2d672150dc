"""Dead letters in Redis: one hash per day of letters, one key per day, all forgotten together after 14 days.

A producer of garbage must not fill a store that never evicts: once the letters of a day weigh `day_bytes_max`, the next
ones are kept without what they held, and after three times as much they are only counted.
"""

import logging
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Final

from msgspec.structs import replace
from redis.asyncio import Redis, RedisCluster

from events.keys import global_key, outbox_key
from events.position import Stream
from profiles.redis_faults import faults
from streams.dead_letters import KEPT_MS, DeadLetter, decode_letter, encode_letter, is_letter_id

_log = logging.getLogger(__name__)

DAY_BYTES_MAX: Final = 256 * 1024 * 1024
COUNTED_FROM: Final = 3
"""Times that weight, from which letters are only counted."""
_WEIGHT: Final = b"weight"
"""The field that adds up the bytes of a day; no letter's id, since those hold a slash."""
_SILENT_S: Final = 60.0
_DAY_MS: Final = 24 * 3600 * 1000
_KEPT_S: Final = KEPT_MS // 1000


class RedisDeadLetters:
    """See `streams.dead_letters.DeadLetters`."""

    def __init__(self, client: Redis | RedisCluster, *, day_bytes_max: int = DAY_BYTES_MAX) -> None:
        self._client = client
        self._day_bytes_max = day_bytes_max
        self._counted = 0
        self._silent_until = 0.0

    async def key_of(self, day: int, *, make: bool) -> bytes | None:
        """The key of a day, agreed on by all who ask at once: the first one set stays."""
        name = global_key("dead-key", str(day))
        with faults():
            if make:
                await self._client.set(name, os.urandom(32), nx=True, ex=_KEPT_S)
            key = await self._client.get(name)
        return None if key is None else _raw(key)

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """One hash per day; its lifetime counts from the last letter."""
        by_day: dict[int, list[DeadLetter]] = defaultdict(list)
        for letter in letters:
            by_day[letter.day].append(letter)
        for day, group in sorted(by_day.items()):
            await self._keep(global_key("dead", str(day)), group)

    async def settle(self, stream: Stream, by_entry: Mapping[str, DeadLetter]) -> None:
        """See `streams.settling.Settles`. On a cluster letters lie apart from outboxes: kept first, then taken out."""
        by_day: dict[int, dict[str, DeadLetter]] = defaultdict(dict)
        for entry_id, letter in by_entry.items():
            by_day[letter.day][entry_id] = letter
        with faults():
            for day, group in sorted(by_day.items()):
                await self._keep(
                    global_key("dead", str(day)), list(group.values()), outbox=outbox_key(stream), of=group
                )

    async def _keep(self, name: str, letters: Sequence[DeadLetter], outbox: str = "", of: Collection[str] = ()) -> None:
        is_one_step = bool(of) and isinstance(self._client, Redis)
        encoded = [encode_letter(letter) for letter in letters]
        async with self._client.pipeline(transaction=False) as pipeline:
            for each in encoded:
                pipeline.hincrby(name, _WEIGHT.decode(), len(each))
            weights = await pipeline.execute()
        counted = 0
        async with self._client.pipeline(transaction=is_one_step) as pipeline:
            for letter, each, weight in zip(letters, encoded, weights, strict=True):
                if weight <= self._day_bytes_max:
                    pipeline.hset(name, letter.id, each)
                elif weight <= COUNTED_FROM * self._day_bytes_max:
                    # Kept before with what it held, it stays so.
                    pipeline.hsetnx(name, letter.id, encode_letter(replace(letter, sealed=b"")))
                else:
                    counted += 1
            pipeline.expire(name, _KEPT_S)
            if is_one_step:
                pipeline.xdel(outbox, *of)
            await pipeline.execute()
        if of and not is_one_step:
            await self._client.xdel(outbox, *of)
        self._tell(counted)

    def _tell(self, counted: int) -> None:
        """One line a minute, however many there are."""
        self._counted += counted
        if self._counted and time.monotonic() >= self._silent_until:
            _log.error("%d records were set aside and only counted: too many today", self._counted)
            self._counted, self._silent_until = 0, time.monotonic() + _SILENT_S

    async def listed(self) -> AsyncIterator[DeadLetter]:
        """All that are kept, oldest day first, by position within a day."""
        for day in _days():
            raw = await self._client.hgetall(global_key("dead", str(day)))
            letters = [decode_letter(_raw(value)) for field, value in raw.items() if field != _WEIGHT]
            for letter in sorted(letters, key=_place):
                yield letter

    async def find(self, letter_id: str) -> DeadLetter | None:
        """The letter of that id, looked for day by day."""
        if not is_letter_id(letter_id):
            return None
        for day in _days():
            raw = await self._client.hget(global_key("dead", str(day)), letter_id)
            if raw is not None:
                return decode_letter(_raw(raw))
        return None

    async def drop(self, letter_id: str) -> None:
        """Forget one letter."""
        for day in _days() if is_letter_id(letter_id) else ():
            await self._client.hdel(global_key("dead", str(day)), letter_id)

    async def overflows(self, day: int, /) -> bool:
        """See `DeadLetters`."""
        weight = await self._client.hget(global_key("dead", str(day)), _WEIGHT.decode())
        return int(weight or 0) > COUNTED_FROM * self._day_bytes_max


def _days() -> range:
    today = int(time.time() * 1000) // _DAY_MS
    return range(today - KEPT_MS // _DAY_MS, today + 1)


def _raw(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _place(letter: DeadLetter) -> tuple[str, int, int, int]:
    return (letter.topic, letter.epoch, letter.partition, letter.offset)
