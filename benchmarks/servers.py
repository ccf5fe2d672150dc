"""The servers of a measurement: one Apache Kafka, and for each run a store of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from embedded.ports import LOOPBACK, free_port, free_ports
from embedded.process import Process, running
from embedded.store import store_service, store_url
from tests.servers import ROOT, apache_kafka_service, embedded_broker

Fsync = Literal["always", "everysec", "no"]

EMBEDDED = "embedded"
"""Instead of an address: the embedded broker, for a quick try."""


@contextmanager
def kafka_at(address: str | None, folder: Path) -> Iterator[str]:
    """The address of a broker: the one given, or an Apache Kafka started here with its compiler at full strength."""
    if address == EMBEDDED:
        with embedded_broker(folder) as started:
            yield started
    elif address:
        yield address
    else:
        port, controller_port = free_ports(2)
        service = apache_kafka_service(port=port, controller_port=controller_port, folder=folder / "kafka")
        service = replace(service, environment={**service.environment, "APACHE_KAFKA_JVM": "-XX:+TieredCompilation"})
        with running(service):
            yield f"{LOOPBACK}:{port}"


@contextmanager
def store_in(folder: Path, *, fsync: Fsync = "always", port: int | None = None) -> Iterator[tuple[str, Process]]:
    """A store on `folder`, which keeps what is in there already: its address and its process."""
    port = port or free_port()
    with running(store_service(port=port, folder=folder, log=folder / "store.log", fsync=fsync)) as process:
        yield store_url(port), process


@contextmanager
def bench_folder() -> Iterator[Path]:
    """A folder on the disk of the checkout, since what a write costs is the disk's matter; it goes with the block."""
    place = ROOT / "build"
    place.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="benchmarks-", dir=place) as folder:
        yield Path(folder)


def load_average() -> float:
    """Processes that wanted to run in the last minute: what else this machine is doing."""
    return round(os.getloadavg()[0], 2)
