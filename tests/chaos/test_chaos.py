"""The short form of `make chaos`: ten counted kills on each broker, with other faults in between."""

from pathlib import Path

import pytest

from tests import servers
from tests.chaos.plan import Fault
from tests.chaos.run import Order, Report, run

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(900)]

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


def storm(folder: Path, *, broker: str, others: tuple[Fault, ...]) -> Report:
    return run(Order(seed=4, broker=broker, kills=KILLS, every=2, others=others), folder=folder)


def test_ten_kills_on_the_embedded_broker_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    report = storm(tmp_path, broker="embedded", others=EMBEDDED)

    assert report.counted >= KILLS
    assert report.verdict.differences == {}, report.text()


def test_ten_kills_on_apache_kafka_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    if wants := servers.apache_kafka_wants():
        pytest.skip(wants)
    report = storm(tmp_path, broker="apache", others=APACHE)

    assert report.counted >= KILLS
    assert report.verdict.differences == {}, report.text()
