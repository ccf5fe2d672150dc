"""What one worker says to its store, seen on the wire: the commits sent and applied, and what it waits for."""

import re
import threading
import time
from collections import Counter
from typing import Literal, NamedTuple

_VERB = re.compile(rb"\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n")
_COMMIT = re.compile(
    rb"\r\nrapport_v1_commit\r\n\$\d+\r\n\d+\r\n\$\d+\r\nrapport:\{(\d+)\}:checkpoint:[^:\r]+:([^\r]+)\r\n"
)

Point = Literal["before the commit reached the store", "after the store applied it, before the worker knew"]
BEFORE: Point = "before the commit reached the store"
AFTER: Point = "after the store applied it, before the worker knew"


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class Catching:
    """Catches what passes by a proxy at a point, once it was told to."""

    def __init__(self) -> None:
        self.caught = threading.Event()
        self._armed: Point | None = None

    def arm(self, point: Point) -> None:
        """Hold the next one there; `caught` is set when it is held."""
        self.caught.clear()
        self._armed = point

    def disarm(self) -> None:
        """Hold nothing."""
        self._armed = None

    def _holds(self, point: Point) -> bool:
        if self._armed != point:
            return False
        self._armed = None
        self.caught.set()
        return True


class CommitTap(Catching):
    """See `proxy.Tap`. Counts the commits of one worker; `arm` has it hold the next one at a point.

    A commit is applied when the store answers it with nil: any other checkpoint in its way would be the answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.applied: Counter[Partition] = Counter()
        self.total = 0
        self.fenced = 0
        self.applied_at = 0.0
        self._waiting: dict[int, str] = {}
        self._sent: dict[int, Partition] = {}

    @property
    def doing(self) -> str:
        """What the worker waits for from its store, or that it waits for nothing there."""
        return "; ".join(sorted(self._waiting.values())) or "between two calls to the store"

    def started(self) -> None:
        """The worker behind it is a new process: count since its start."""
        self.applied = Counter()
        self.disarm()

    def asked(self, link: int, data: bytes) -> bool:
        verb = _VERB.match(data)
        if verb is None:
            return False  # the rest of a long command
        self._waiting[link] = verb[1].decode().upper()
        commit = _COMMIT.search(data)
        if commit is None:
            return False
        self._sent[link] = place = Partition(commit[2].decode(), int(commit[1]))
        self._waiting[link] = f"commit of {place}"
        return self._holds(BEFORE)

    def answered(self, link: int, data: bytes) -> bool:
        place = self._sent.pop(link, None)
        if place is not None and data.startswith((b"$-1\r\n", b"_\r\n")):
            self.applied[place] += 1
            self.total += 1
            self.applied_at = time.monotonic()
            if self._holds(AFTER):
                return True
        elif place is not None and data.startswith(b"$"):
            self.fenced += 1
        self._waiting.pop(link, None)
        return False

    def closed(self, link: int) -> None:
        self._waiting.pop(link, None)
        self._sent.pop(link, None)
