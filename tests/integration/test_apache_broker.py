"""An Apache Kafka node that dies and comes back under workers that run, and workers that come back to it."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from embedded.ports import LOOPBACK, free_ports
from embedded.process import Process
from tests.installation import Installation, installation_in
from tests.integration.orders import archived, folded, orders
from tests.servers import apache_kafka_service, apache_kafka_wants
from tests.waiting import until

pytestmark = pytest.mark.servers


class Node:
    """One node that can be killed and started again on its folder and ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port, self._controller_port = free_ports(2)
        self.start()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    def start(self) -> None:
        service = apache_kafka_service(port=self._port, controller_port=self._controller_port, folder=self.folder)
        self.process = Process(service)
        self.process.wait_ready()

    def lose(self, topic: str, *, partition: int) -> None:
        """Lose a partition's files, as with a broken disk; the node is dead meanwhile."""
        shutil.rmtree(self.folder / "log" / f"{topic}-{partition}")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    if wants := apache_kafka_wants():
        pytest.skip(wants)
    made = Node(tmp_path_factory.mktemp("node"))
    yield made
    made.process.kill()


@pytest.fixture
def installation(node: Node, tmp_path: Path) -> Iterator[Installation]:
    with installation_in(tmp_path, kafka=node.address) as made:
        yield made


@pytest.fixture
def workers(installation: Installation) -> Iterator[list[Process]]:
    with ExitStack() as started:
        yield [started.enter_context(installation.worker(app)) for app in ("profiles", "history")]


def test_workers_go_on_by_themselves_when_a_killed_broker_is_back(
    installation: Installation, node: Node, workers: list[Process]
) -> None:
    installation.send(orders(3000))
    until(lambda: folded(installation) > 0, what="some work done")
    node.process.kill()
    node.start()
    installation.send(orders(200, first=3000))
    until(lambda: folded(installation) == 3200, within_s=120, what="all orders folded")
    until(lambda: archived(installation) == sum(installation.checkpoints()), within_s=60, what="all facts archived")
    assert [worker.exit_status for worker in workers] == [None, None]
    assert installation.stopped() == {}


def test_a_partition_that_lost_its_end_is_stopped_with_the_size_and_no_other(
    installation: Installation, node: Node, workers: list[Process]
) -> None:
    events = installation.settings.events_topic
    installation.send(orders(400))
    until(lambda: folded(installation) == 400, within_s=60, what="all orders folded")
    at = installation.checkpoints()[1]
    node.process.kill()
    node.lose(events, partition=1)
    node.start()
    # A partition that was assigned anew meanwhile is read from the record before its checkpoint.
    stops = [
        {(events, 1): f"the log ends at 0, the checkpoint is {offset}: it is {offset} offsets ahead, or another log"}
        for offset in (at - 1, at)
    ]
    until(lambda: installation.stopped() in stops, within_s=90, what="the stop")
    before = installation.checkpoints()
    installation.send(orders(200, first=400))
    until(lambda: installation.done(installation.settings.intake_topic()) >= 600, within_s=60, what="the intake's end")
    elsewhere = [partition for partition in range(len(before)) if partition != 1]
    until(
        lambda: sum(installation.checkpoints()[p] - before[p] for p in elsewhere) > 100, within_s=60, what="the others"
    )
    assert installation.checkpoints()[1] == at
    assert workers[0].exit_status is None


def test_a_worker_with_a_name_of_its_own_is_back_before_the_session_of_the_killed_one_ends(
    installation: Installation,
) -> None:
    named = {"instance_id": "worker-1", "session_timeout_s": "240"}
    with installation.worker(**named) as victim:
        installation.send(orders(50))
        until(lambda: folded(installation) == 50, within_s=60, what="a worker at work")
        os.kill(victim.pid, signal.SIGKILL)
    installation.send(orders(50, first=50))
    # A member without a name would wait for the 240 s to pass.
    with installation.worker(**named):
        until(lambda: folded(installation) == 100, within_s=60, what="the next worker at work")
