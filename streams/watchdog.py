"""Notice a partition that has work and does not move, from outside the event loop, and end the process.

Faust's consumer is known to fall silent without an error. The log's ends are asked for in this thread with another
client, so neither a silent consumer nor a blocked event loop hides a stall. What is stopped on purpose is not judged.
"""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from streams.admin import Bounds
from streams.ownership import Claim, Ownership

_log = logging.getLogger(__name__)

EXIT_STALLED = 70
"""The exit status of a worker the watchdog ended (sysexits: internal software error)."""

Key = tuple[str, int]
Ends = Callable[[Collection[str]], Mapping[Key, Bounds]]


class Seen(NamedTuple):
    """A partition as it was last judged: its checkpoint, the log's end, and since when it owes progress, in seconds."""

    checkpoint: int
    end: int
    owing_since_s: float | None


def judge(
    seen: Mapping[Key, Seen], *, claims: Mapping[Key, Claim], ends: Mapping[Key, int], now_s: float
) -> dict[Key, Seen]:
    """What is to be remembered of every running partition; one with no known end is forgotten.

    So is one that is stopped, or waits for something that is away. A partition owes progress from the moment its log's
    end lies beyond a checkpoint that has not moved.
    """
    judged = {}
    for key, claim in claims.items():
        end = ends.get(key)
        if claim.stopped is not None or claim.waits is not None or end is None:
            continue
        before = seen.get(key)
        owing = end > claim.checkpoint
        moved = before is None or before.checkpoint != claim.checkpoint
        since = now_s if moved or before is None or before.owing_since_s is None else before.owing_since_s
        judged[key] = Seen(checkpoint=claim.checkpoint, end=end, owing_since_s=since if owing else None)
    return judged


def stalled(seen: Mapping[Key, Seen], *, now_s: float, patience_s: float) -> list[str]:
    """A sentence for every partition that has owed progress for longer than `patience_s`."""
    return [
        f"{topic}[{partition}] stands at {at.checkpoint} of {at.end} for {now_s - at.owing_since_s:.0f} s"
        for (topic, partition), at in sorted(seen.items())
        if at.owing_since_s is not None and now_s - at.owing_since_s > patience_s
    ]


def watch(ownership: Ownership, *, ends: Ends, patience_s: float = 60.0, every_s: float = 5.0) -> threading.Thread:
    """Watch from a thread of its own until the worker closes; a stall ends the process with `EXIT_STALLED`."""
    thread = threading.Thread(target=_watch, args=(ownership, ends, patience_s, every_s), name="watchdog", daemon=True)
    thread.start()
    return thread


def _watch(ownership: Ownership, ends: Ends, patience_s: float, every_s: float) -> None:
    seen: dict[Key, Seen] = {}
    pause = threading.Event()
    while not pause.wait(every_s) and not ownership.closed:
        known = _ends(ownership, ends)
        now_s = time.monotonic()
        seen = judge(seen, claims=dict(ownership.claims), ends=known, now_s=now_s)
        if reasons := stalled(seen, now_s=now_s, patience_s=patience_s):
            _end_process(reasons)


def _ends(ownership: Ownership, ends: Ends) -> Mapping[Key, int]:
    """The log's ends; none while the broker does not answer, which is not the worker's stall."""
    topics = {topic for topic, _ in dict(ownership.claims)}
    try:
        return {key: bounds.end for key, bounds in ends(topics).items()} if topics else {}
    except Exception as error:  # noqa: BLE001  the watchdog outlives whatever the client raises
        _log.warning("the watchdog could not ask for the log's ends: %s", type(error).__name__)
        return {}


def _end_process(reasons: Sequence[str]) -> None:
    _log.critical("stalled, the worker ends: %s", "; ".join(reasons))
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)  # names of files and functions, no values
    sys.stderr.flush()
    os._exit(EXIT_STALLED)
