"""What a step took of this process: time, processor time and memory."""

import resource
import time


class Stopwatch:
    """Runs from when it is made, or was last read."""

    def __init__(self) -> None:
        self._since = _now()

    def read(self) -> tuple[float, float]:
        """Seconds by the clock, and of processor time of all threads, since then."""
        before, self._since = self._since, _now()
        return self._since[0] - before[0], self._since[1] - before[1]


def peak_rss_mib() -> float:
    """Resident memory at its greatest until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
