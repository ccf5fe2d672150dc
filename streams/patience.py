"""Try again a bounded number of times, and say what failed by its class only, never by its data."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


async def patiently(attempt: Callable[[], Awaitable[_T]], *, what: str, delays_s: Sequence[float]) -> _T:
    """The answer of `attempt`, tried again after each of the delays; the last failure is raised.

    `what` names it in the log and must hold no personal data.
    """
    for delay_s in delays_s:
        try:
            return await attempt()
        except Exception as error:  # noqa: BLE001  whatever it is, its fate is decided here: again, or the caller's
            _log.warning("%s failed with %s, again in %.1f s", what, type(error).__name__, delay_s)
        await asyncio.sleep(delay_s)
    return await attempt()
