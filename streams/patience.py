"""Try again what failed, and say what failed by its class only, never by its data.

What may come back by itself (a store, a broker, a relay that is behind) is waited for without end, ever more slowly;
anything else is a defect, is tried a bounded number of times and then raised.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from consent.holds import ConsentStoreUnavailable
from events.log import LogUnavailable
from outreach.records import OutreachUnavailable
from profiles.person import PersonUnavailable
from profiles.store import ProfileStoreUnavailable

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

WAIT_MAX_S: Final = 5.0


class Away(Exception):
    """Something this rests on does not answer now, or cannot take more; nothing is lost by waiting for it."""


AWAY: Final = (
    Away,
    ConsentStoreUnavailable,
    LogUnavailable,
    OutreachUnavailable,
    PersonUnavailable,
    ProfileStoreUnavailable,
)


def wait_s(chance: float) -> float:
    """How long to wait for what has been away for long: half of `WAIT_MAX_S` to all of it, by `chance` in [0, 1)."""
    return WAIT_MAX_S * (0.5 + chance / 2)


async def tried(
    attempt: Callable[[], Awaitable[_T]],
    *,
    what: str,
    delays_s: Sequence[float],
    only: tuple[type[Exception], ...] = (Exception,),
) -> _T:
    """The answer of `attempt`, tried again after each of the delays; the last failure is raised, and any not `only`.

    `what` names the attempt in the log and must hold no personal data.
    """
    for delay_s in delays_s:
        try:
            return await attempt()
        except only as error:  # its fate is decided here: again, or the caller's
            _again(what, error, delay_s)
        await asyncio.sleep(delay_s)
    return await attempt()


async def patiently(
    attempt: Callable[[], Awaitable[_T]],
    *,
    what: str,
    delays_s: Sequence[float],
    on_wait: Callable[[str], None],
    chance: Callable[[], float] = random.random,
) -> _T:
    """The same, and then for as long as something is away, which `on_wait` is told; other failures are raised.

    The waits differ by `chance`, in [0, 1), so that workers do not all come back at once.
    """
    delays: Sequence[float] = delays_s
    while True:
        try:
            return await tried(attempt, what=what, delays_s=delays)
        except AWAY as error:
            on_wait(str(error))
            delay_s = wait_s(chance())
            _log.error("%s waits: %s", what, error, extra={"reason": type(error).__name__})
            delays = ()
        await asyncio.sleep(delay_s)


def _again(what: str, error: Exception, delay_s: float) -> None:
    name = type(error).__name__
    _log.warning("%s failed with %s, again in %.1f s", what, name, delay_s, extra={"reason": f"{name} {delay_s:.0f}"})
