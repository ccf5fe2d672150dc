"""Dead letters in memory, for runs without a store."""

import os
from collections.abc import AsyncIterator, Sequence

from streams.dead_letters import DeadLetter


class MemoryDeadLetters:
    """See `streams.dead_letters.DeadLetters`."""

    def __init__(self) -> None:
        self._keys: dict[int, bytes] = {}
        self._letters: dict[str, DeadLetter] = {}

    async def key_of(self, day: int, *, make: bool) -> bytes | None:
        """The key of a day."""
        if make:
            self._keys.setdefault(day, os.urandom(32))
        return self._keys.get(day)

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters by id."""
        self._letters.update({letter.id: letter for letter in letters})

    async def listed(self) -> AsyncIterator[DeadLetter]:
        """All that are kept, by position."""
        for letter in sorted(
            self._letters.values(), key=lambda kept: (kept.day, kept.topic, kept.epoch, kept.partition, kept.offset)
        ):
            yield letter

    async def find(self, letter_id: str) -> DeadLetter | None:
        """The letter of that id."""
        return self._letters.get(letter_id)

    async def drop(self, letter_id: str) -> None:
        """Forget one letter."""
        self._letters.pop(letter_id, None)

    async def overflows(self, _day: int, /) -> bool:
        """Every letter is kept."""
        return False
