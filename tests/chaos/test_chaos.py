"""The short form of `make chaos`: ten counted kills on each broker, with other faults in between.

In a process of its own: the Kafka client leaves sockets behind when its broker dies, which is a warning here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.chaos.plan import Fault

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(1800)]

KILLS = 10
EMBEDDED: tuple[Fault, ...] = (
    "restore older store",
    "kill store",
    "half-open store",
    "freeze worker",
    "cut broker",
)
APACHE: tuple[Fault, ...] = (
    "restore older store",
    "kill broker",
    "silence store",
    "half-open broker",
    "third worker comes and goes",
)


def chaos(folder: Path, *, broker: str, faults: tuple[Fault, ...]) -> dict[str, Any]:
    """The report of a run that found no difference."""
    report = folder / "report.json"
    words = ["--broker", broker, "--kills", str(KILLS), "--every", "2", "--seed", "4", "--faults", ",".join(faults)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *words, "--report", str(report)],
        cwd=servers.ROOT,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-4000:]}"
    read: dict[str, Any] = json.loads(report.read_text())
    return read


def test_ten_kills_on_the_embedded_broker_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    report = chaos(tmp_path, broker="embedded", faults=EMBEDDED)

    assert report["counted kills"] >= KILLS
    assert report["verdict"]["differences"] == {}


def test_ten_kills_on_apache_kafka_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    if wants := servers.apache_kafka_wants():
        pytest.skip(wants)
    report = chaos(tmp_path, broker="apache", faults=APACHE)

    assert report["counted kills"] >= KILLS
    assert report["verdict"]["differences"] == {}
