"""Quiet hours: until when somebody is not to be disturbed, by their own clock."""

from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from outreach.triggers import Quiet


def quiet_until(now: int, *, quiet: Quiet, zone: str) -> int | None:
    """The end (ms) of the quiet hours that `now` (ms) lies in by the clock of `zone`; None outside them."""
    local = datetime.fromtimestamp(now / 1000, tz=ZoneInfo(zone))
    if not _within(local.time(), quiet):
        return None
    end = datetime.combine(local.date(), quiet.ends, tzinfo=local.tzinfo)
    if local.time() >= quiet.ends:
        end += timedelta(days=1)  # wall clock: the same hour tomorrow, whatever the clocks do in between
    if end.timestamp() * 1000 <= now:
        end = end.replace(fold=1)  # the clock shows this hour twice today, and it is the second time
    return int(end.timestamp() * 1000)


@lru_cache(maxsize=1024)
def zone_or(name: object, default: str) -> str:
    """The time zone a person stated, the default where that is none."""
    try:
        return ZoneInfo(str(name)).key
    except (KeyError, ValueError, OSError):
        return default


def _within(clock: time, quiet: Quiet) -> bool:
    if quiet.begins <= quiet.ends:
        return quiet.begins <= clock < quiet.ends
    return clock >= quiet.begins or clock < quiet.ends
