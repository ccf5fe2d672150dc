"""What was measured, kept as JSON beside the machine and the versions it was measured on."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.servers import load_average
from tests.servers import ROOT

RESULTS = ROOT / "benchmarks" / "results"
LIBRARIES = ("faust-streaming", "aiokafka", "confluent-kafka", "quixstreams", "redis", "hiredis", "msgspec", "orjson")


class Results(msgspec.Struct, kw_only=True):
    """One experiment: what it was told, where it ran, and a row for each run."""

    experiment: str
    settings: dict[str, Any]
    machine: dict[str, Any]
    runs: list[dict[str, Any]] = []


class Spread(NamedTuple):
    """The middle of several figures, and how far they lie apart."""

    median: float
    least: float
    most: float


def spread(figures: Sequence[float]) -> Spread:
    """Median, least and greatest of at least one figure."""
    return Spread(statistics.median(figures), min(figures), max(figures))


def open_results(path: Path, *, experiment: str, settings: dict[str, Any], fresh: bool) -> Results:
    """The results so far under the same settings, so that a stopped measurement goes on; else none."""
    if path.exists() and not fresh:
        kept = msgspec.json.decode(path.read_bytes(), type=Results)
        if kept.settings == settings:
            return kept
    return Results(experiment=experiment, settings=settings, machine=machine())


def keep(results: Results, path: Path) -> None:
    """Write the results as they stand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    fresh.replace(path)


def machine() -> dict[str, Any]:
    """Processor, memory, versions, commit, and the load before the first run."""
    return {
        "measured": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "commit": _commit(),
        "load_average": load_average(),
    }


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
