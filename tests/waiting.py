"""Waiting for a condition with a deadline: the one place in the tests that sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable

HANGS_S = 60.0
"""What does not come to hold within this time on a busy machine never will: a deadline tells a hang, not a speed."""
_POLL_S = 0.02


def until(condition: Callable[[], object], *, within_s: float = HANGS_S, what: str = "the condition") -> None:
    """Return once `condition()` is true; fail when it is not within the time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not hold within {within_s:g} s"
        time.sleep(_POLL_S)


async def eventually(
    condition: Callable[[], Awaitable[object]], *, within_s: float = HANGS_S, what: str = "the condition"
) -> None:
    """The same for a condition that is awaited."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, f"{what} did not hold within {within_s:g} s"
        await asyncio.sleep(_POLL_S)
