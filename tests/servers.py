"""The servers tests run on: started by the product's own code, in a folder that goes away."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded import broker, resp
from embedded.broker import broker_service
from embedded.ports import LOOPBACK, free_port, free_ports
from embedded.process import running
from embedded.service import Service
from embedded.store import store_service, store_url
from tests.waiting import until

ROOT = Path(__file__).parent.parent
SLOTS = 16384


@dataclass(frozen=True)
class Valkey:
    """A store that runs."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return store_url(self.port)

    def flush(self) -> None:
        """Take everything out, the functions too."""
        resp.ask(LOOPBACK, self.port, "FLUSHALL", "SYNC")
        resp.ask(LOOPBACK, self.port, "FUNCTION", "FLUSH", "SYNC")


@dataclass(frozen=True)
class ValkeyCluster:
    """Three primaries that hold all slots between them."""

    nodes: tuple[Valkey, ...]

    @property
    def url(self) -> str:
        """The address of its first node; a cluster client finds the others."""
        return self.nodes[0].url

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(node.port for node in self.nodes)

    def flush(self) -> None:
        """Take everything out of all nodes, the functions too."""
        for node in self.nodes:
            node.flush()


@contextmanager
def embedded_broker(folder: Path) -> Iterator[str]:
    """The address of an embedded broker, empty and of its own."""
    port = free_port()
    with running(broker_service(port=port, log=folder / "broker.log")):
        yield f"{LOOPBACK}:{port}"


@contextmanager
def embedded_store(folder: Path, *, port: int | None = None, bus_port: int | None = None) -> Iterator[Valkey]:
    """A store on `folder`; what is already in there is read."""
    port = port or free_port()
    service = store_service(port=port, folder=folder, log=folder / "store.log", cluster_bus_port=bus_port)
    with running(service) as process:
        yield Valkey(port, process.pid)


@contextmanager
def store_cluster(folder: Path) -> Iterator[ValkeyCluster]:
    """Three stores that became one cluster."""
    ports = free_ports(6)
    with ExitStack() as started:
        nodes = tuple(
            started.enter_context(embedded_store(folder / f"node-{at}", port=ports[at], bus_port=ports[at + 3]))
            for at in range(3)
        )
        for at, node in enumerate(nodes):
            first, last = SLOTS * at // 3, SLOTS * (at + 1) // 3 - 1
            resp.ask(LOOPBACK, node.port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
            resp.ask(LOOPBACK, node.port, "CLUSTER", "SET-CONFIG-EPOCH", str(at + 1))
            resp.ask(LOOPBACK, node.port, "CLUSTER", "MEET", LOOPBACK, str(ports[0]), str(ports[3]))
        until(lambda: all(_whole(node) for node in nodes), what="a cluster that holds all slots")
        yield ValkeyCluster(nodes)


def _whole(node: Valkey) -> bool:
    lines = resp.ask(LOOPBACK, node.port, "CLUSTER", "INFO").splitlines()
    return {"cluster_state:ok", f"cluster_slots_ok:{SLOTS}", "cluster_known_nodes:3"} <= set(lines)


def apache_kafka_wants() -> str | None:
    """What this machine lacks to run Apache Kafka; None when it lacks nothing."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    return f"Apache Kafka from Maven packages needs {' and '.join(missing)}" if missing else None


@contextmanager
def apache_kafka(folder: Path) -> Iterator[str]:
    """The address of an Apache Kafka node of its own, its log in `folder`."""
    port, controller_port = free_ports(2)
    with running(apache_kafka_service(port=port, controller_port=controller_port, folder=folder)):
        yield f"{LOOPBACK}:{port}"


def apache_kafka_service(*, port: int, controller_port: int, folder: Path) -> Service:
    """One Apache Kafka node whose log lives in `folder`: unlike the embedded broker's it survives a restart."""
    return Service(
        name="apache-kafka",
        argv=[str(ROOT / "scripts" / "apache-kafka"), "run", str(port), str(controller_port), str(folder)],
        environment=dict(os.environ),
        log=folder / "kafka.log",
        ready=lambda: broker.answers(LOOPBACK, port),
        ready_timeout_s=240.0,
    )
