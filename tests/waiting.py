"""Waiting for a condition with a deadline: the one place in the tests that sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable

HANGS_S = 60.0
"""What does not come to hold within this time on a busy machine never will: a deadline tells a hang, not a speed."""
_POLL_S, _POLL_MAX_S = 0.02, 0.25


def until(condition: Callable[[], object], *, within_s: float = HANGS_S, what: str = "the condition") -> None:
    """Return once `condition()` is true; fail when it is not within the time."""
    began = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began
        assert waited_s < within_s, f"{what} did not hold within {within_s:g} s"
        time.sleep(_poll_s(waited_s))


async def eventually(
    condition: Callable[[], Awaitable[object]], *, within_s: float = HANGS_S, what: str = "the condition"
) -> None:
    """The same for a condition that is awaited."""
    began = time.monotonic()
    while not await condition():
        waited_s = time.monotonic() - began
        assert waited_s < within_s, f"{what} did not hold within {within_s:g} s"
        await asyncio.sleep(_poll_s(waited_s))


def _poll_s(waited_s: float) -> float:
    """Ever more seldom: who asks takes time from who works."""
    return min(_POLL_S + waited_s / 50, _POLL_MAX_S)
