"""A log that stays readable in a flood: one line per reason and interval, with the count of those left out."""

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

EVERY_S: Final = 10.0
REASONS_MAX: Final = 1000


@dataclass(slots=True)
class _Said:
    at_s: float
    left_out: int = 0


class Seldom(logging.Filter):
    """For the handlers of a process.

    Lines are alike when they come from the same place in the code for the same `reason` (given as `extra`), whatever
    partition they name. Errors without a reason are alike only when they say the same.
    """

    def __init__(self, *, every_s: float = EVERY_S, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock_s = clock_s
        self._said: dict[tuple[str, str, str], _Said] = {}

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        """The record, with the count of those left out since the last one like it; False to leave it out."""
        now_s, likeness = self._clock_s(), _likeness(record)
        said = self._said.get(likeness)
        if said is not None and now_s - said.at_s < self._every_s:
            said.left_out += 1
            return False
        self._forget(now_s)
        self._said[likeness] = _Said(now_s)
        return record if said is None or not said.left_out else _with_count(record, said.left_out)

    def _forget(self, now_s: float) -> None:
        if len(self._said) >= REASONS_MAX:
            self._said = {key: said for key, said in self._said.items() if now_s - said.at_s < self._every_s}


def _likeness(record: logging.LogRecord) -> tuple[str, str, str]:
    reason = getattr(record, "reason", None)
    is_whole = reason is None and record.levelno >= logging.ERROR
    return (record.name, record.getMessage() if is_whole else str(record.msg), reason or "")


def _with_count(record: logging.LogRecord, left_out: int) -> logging.LogRecord:
    counted = copy.copy(record)
    counted.msg, counted.args = f"{record.getMessage()} ({left_out} more like it were left out)", ()
    return counted
