"""Resident memory and open files of processes over time, and how steeply they grow."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

PAGE = 4096


class Sample(NamedTuple):
    """One look at a process, `at_s` seconds after sampling began."""

    name: str
    pid: int
    at_s: float
    resident: int
    files: int


class Growth(NamedTuple):
    """A process over the second half of its life: the last values, and the slope of each per minute."""

    name: str
    pid: int
    lived_s: float
    resident_mb: float
    files: int
    mb_per_min: float
    files_per_min: float


class Sampler(threading.Thread):
    """Looks at the processes that `pids` names, every few seconds, until the block ends."""

    def __init__(self, pids: Callable[[], Mapping[str, int]], *, every_s: float = 5.0) -> None:
        super().__init__(name="sampler", daemon=True)
        self.samples: list[Sample] = []
        self._pids = pids
        self._every_s = every_s
        self._ending = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join()

    def run(self) -> None:
        began = time.monotonic()
        while not self._ending.wait(self._every_s):
            for name, pid in self._pids().items():
                with suppress(OSError):  # it has just ended
                    resident, files = looked_at(pid)
                    self.samples.append(Sample(name, pid, time.monotonic() - began, resident, files))


def looked_at(pid: int) -> tuple[int, int]:
    """Resident bytes and open file descriptors; OSError when the process is gone."""
    of = Path(f"/proc/{pid}")
    return int((of / "statm").read_text().split()[1]) * PAGE, len(list((of / "fd").iterdir()))


def growths(samples: Sequence[Sample], *, lived_s: float) -> list[Growth]:
    """The growth of every process that was seen for at least so long."""
    found = []
    for name, pid in dict.fromkeys((sample.name, sample.pid) for sample in samples):
        life = [sample for sample in samples if (sample.name, sample.pid) == (name, pid)]
        lived = life[-1].at_s - life[0].at_s
        if lived < lived_s:
            continue
        late = [sample for sample in life if sample.at_s >= life[0].at_s + lived / 2]
        memory = slope([(sample.at_s / 60, sample.resident / 2**20) for sample in late])
        files = slope([(sample.at_s / 60, float(sample.files)) for sample in late])
        last = life[-1]
        found.append(
            Growth(
                name, pid, round(lived), round(last.resident / 2**20, 1), last.files, round(memory, 3), round(files, 3)
            )
        )
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the line nearest to the points by least squares."""
    count = len(points)
    middle_x, middle_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
