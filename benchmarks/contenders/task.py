"""What a contender is told, and what it tells when it is done."""

import os
import resource
import sys
import time
from typing import NoReturn

import msgspec

from benchmarks.redis_probe import StoreProbe

SESSION_S = 6
"""Every contender's session timeout, that of the worker: the embedded broker lets a group wait half of it."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One run: where the records are, how many, and the store (`redis://`)."""

    kafka: str
    topic: str
    partitions: int
    group: str
    store: str
    records: int


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands at one moment: records done; wall clock, CPU time of the process and of the store in s."""

    done: int
    at_s: float
    client_s: float
    store_s: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A run between the end of its first batch and its last record; `rss_bytes` is the greatest."""

    first: Mark
    last: Mark
    rss_bytes: int


def task_told() -> Task:
    """The task in the first argument of this process, as JSON."""
    return msgspec.json.decode(sys.argv[1], type=Task)


class Stopwatch:
    """Tells batches: the first one done starts it, the last record stops it and ends the process."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._probe = StoreProbe(task.store)
        self._first: Mark | None = None

    def done(self, records: int) -> None:
        """So many records are done; everything about them stands in the store."""
        if self._first is None:
            if records >= self._task.records:
                raise SystemExit("the first batch took every record: there is nothing left to time")
            self._first = self._mark(records)
        elif records >= self._task.records:
            self._end(self._first, self._mark(records))

    def _mark(self, done: int) -> Mark:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Mark(
            done=done,
            at_s=time.monotonic(),
            client_s=used.ru_utime + used.ru_stime,
            store_s=self._probe.cpu_s(),
        )

    def _end(self, first: Mark, last: Mark) -> NoReturn:
        # Told in KiB on Linux, in bytes on macOS.
        unit = 1 if sys.platform == "darwin" else 1024
        greatest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        sys.stdout.buffer.write(msgspec.json.encode(Measured(first=first, last=last, rss_bytes=greatest)) + b"\n")
        sys.stdout.buffer.flush()
        # At once: how a framework winds itself up is not what is measured.
        os._exit(0)
