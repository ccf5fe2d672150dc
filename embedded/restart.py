"""Whether a crashed service is started again: a decision on its history and the time."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """Crashes within `window_s` seconds are held together; after more than `crashes_max` of them it is given up.

    The first restart waits `backoff_s`, each further one twice as long, at most `backoff_s_max`.
    """

    crashes_max: int = 5
    window_s: float = 120.0
    backoff_s: float = 0.5
    backoff_s_max: float = 15.0


@dataclass(frozen=True)
class RestartAt:
    """Start it again at `time_s` on the caller's clock."""

    time_s: float
    because: str


@dataclass(frozen=True)
class GiveUp:
    """Do not start it again."""

    because: str


def restart_after(policy: RestartPolicy | None, *, crashes: Sequence[float], now: float) -> RestartAt | GiveUp:
    """What to do about the last of `crashes`, given as times in seconds, oldest first, on the clock of `now`."""
    if policy is None:
        return GiveUp("it is not restarted")
    recent = sum(1 for at in crashes if now - at <= policy.window_s)
    if recent > policy.crashes_max:
        return GiveUp(f"it crashed {recent} times within {policy.window_s:g} s")
    wait_s = min(policy.backoff_s * 2 ** max(recent - 1, 0), policy.backoff_s_max)
    return RestartAt(now + wait_s, f"crash {recent} of {policy.crashes_max} forgiven within {policy.window_s:g} s")
