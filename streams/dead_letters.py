"""Dead letters: records that could not be used, kept for a while with the reason, so that somebody can mend and replay.

Where it came from and why is in clear; what it held is encrypted under the key of the day, which the store forgets
after 14 days together with the letters.
"""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.admission import EVENT_BYTES_MAX
from events.position import Position, Stream
from events.sealed_bytes import open_bytes, seal_bytes
from profiles.store import OutboxEntry
from streams.frame import Record

_log = logging.getLogger(__name__)

KEPT_MS: Final = 14 * 24 * 3600 * 1000
CONTENTS_BYTES_MAX: Final = EVENT_BYTES_MAX + 1024
"""Key and value of an event that admission would look at; a larger record is set aside without them."""
FLOOD: Final = 1000
"""Records set aside by one worker within a minute that are worth an alarm."""
_DAY_MS: Final = 24 * 3600 * 1000
_MINUTE_MS: Final = 60_000


class DeadLetter(msgspec.Struct, frozen=True):
    """Where a record stood, why it was set aside (never what it held), and its sealed bytes.

    `day` names the key (days since 1970). `sealed` opens to the record's key and value; it is empty where they were
    too large to keep, alone or with all the others of the day.
    """

    app: str
    topic: str
    epoch: int
    partition: int
    offset: int
    at: int
    reason: str
    detail: str
    day: int
    sealed: bytes

    @property
    def id(self) -> str:
        """Names the letter: app, topic and position."""
        return f"{self.app}/{self.topic}/{Position(self.epoch, self.partition, self.offset)}"


class ContentsNotKept(Exception):
    """The letter says where and why; what it held was not kept."""


class Contents(msgspec.Struct, frozen=True):
    """What a dead record held."""

    key: bytes | None
    value: bytes | None


class DayKeys(Protocol):
    """The keys of the days, 32 bytes each; a forgotten one is None."""

    async def key_of(self, day: int, *, make: bool) -> bytes | None:
        """The key of a day (days since 1970); made if asked for and absent."""
        ...


class DeadLetters(DayKeys, Protocol):
    """Where letters are kept, newest last within a partition. What is no letter's id finds and drops nothing."""

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters; one kept before under the same id is replaced."""
        ...

    def listed(self) -> AsyncIterator[DeadLetter]:
        """All that are kept, by partition and position."""
        ...

    async def find(self, letter_id: str) -> DeadLetter | None:
        """The letter of that id."""
        ...

    async def drop(self, letter_id: str) -> None:
        """Forget one letter."""
        ...

    async def overflows(self, day: int, /) -> bool:
        """Whether so many letters came on a day (days since 1970) that some were only counted: one may be missing."""
        ...


class _Held(NamedTuple):
    day: int
    asked_at: int
    key: bytes


@dataclass(slots=True, kw_only=True)
class Undertaker:
    """Makes dead letters for one app, and raises the alarm when they become many.

    The key of the day is asked for once a minute rather than once per letter. Not more seldom, since a store that was
    put back from a copy has another one.
    """

    keys: DayKeys
    _held: _Held | None = field(default=None, init=False)
    _minute: int = field(default=0, init=False)
    _made: int = field(default=0, init=False)

    async def entry(
        self, *, stream: Stream, epoch: int, record: Record, index: int, at: int, reason: str, detail: str
    ) -> OutboxEntry:
        """The outbox entry that sets a record aside; `at` is now in ms."""
        day = at // _DAY_MS
        key = await self._key_of(day, at)
        self._watch(at)
        contents = msgspec.msgpack.encode(Contents(record.key, record.value))
        is_kept = len(contents) <= CONTENTS_BYTES_MAX
        letter = DeadLetter(
            app=stream.app,
            topic=stream.topic,
            epoch=epoch,
            partition=stream.partition,
            offset=record.offset,
            at=at,
            reason=reason,
            detail=detail,
            day=day,
            sealed=seal_bytes(AESGCM(key), contents, bound=None) if is_kept else b"",
        )
        return OutboxEntry(offset=record.offset, index=index, kind="dead_letter", payload=encode_letter(letter))

    async def _key_of(self, day: int, at: int) -> bytes:
        held = self._held
        if held is None or held.day != day or not 0 <= at - held.asked_at < _MINUTE_MS:
            key = await self.keys.key_of(day, make=True)
            if key is None:
                raise RuntimeError("the key of the day could not be made")
            held = self._held = _Held(day, at, key)
        return held.key

    def _watch(self, at: int) -> None:
        """One line a minute however many there are."""
        minute = at // _MINUTE_MS
        self._made = self._made + 1 if minute == self._minute else 1
        self._minute = minute
        if self._made == FLOOD:
            _log.error("%d records were set aside within a minute; see `rapport dead-letters list`", FLOOD)


def is_letter_id(text: str) -> bool:
    """Whether it could name a letter: app, topic and position, between slashes."""
    return text.count("/") == 2


def unseal(letter: DeadLetter, keys: Mapping[int, bytes]) -> Contents:
    """The contents of a letter; ContentsNotKept, or KeyError when the key of its day is gone."""
    if not letter.sealed:
        raise ContentsNotKept(f"what {letter.id} held was too large to keep")
    opened = open_bytes(AESGCM(keys[letter.day]), letter.sealed, bound=None)
    return msgspec.msgpack.decode(opened, type=Contents)


def encode_letter(letter: DeadLetter) -> bytes:
    """MessagePack of the letter."""
    return msgspec.msgpack.encode(letter)


def decode_letter(raw: bytes) -> DeadLetter:
    """The inverse of `encode_letter`."""
    return msgspec.msgpack.decode(raw, type=DeadLetter)
