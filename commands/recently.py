"""Asking what is dear no more often than need be."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

PROBE_FRESH_S: Final = 5.0


@dataclass
class Recently:
    """A probe that is dear, asked at most every few seconds."""

    probe: Callable[[], Awaitable[str | None]]
    _answer: str | None = field(default=None, init=False)
    _asked_at: float = field(default=float("-inf"), init=False)

    async def __call__(self) -> str | None:
        """See `api.services.Probe`."""
        if time.monotonic() - self._asked_at > PROBE_FRESH_S:
            self._answer = await self.probe()
            self._asked_at = time.monotonic()
        return self._answer
