"""A log on Apache Kafka that lost its end, as of a broker put back from an older copy, and is the same topic still."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedded.ports import LOOPBACK, free_ports
from embedded.process import Process
from streams.admin import log_bounds
from tests.installation import Installation, installation_in
from tests.integration.leasing import leases
from tests.integration.orders import archived, folded, orders
from tests.integration.resting import without_workers, worked_off
from tests.servers import apache_kafka_service, apache_kafka_wants
from tests.waiting import until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        apache_kafka_wants() is not None, reason="Apache Kafka from Maven packages wants Java and Maven"
    ),
]
CUT = 2
"""The partition whose log is put back."""


class Node:
    """An Apache Kafka node that is stopped and started again on its folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._ports = free_ports(2)
        self.start()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._ports[0]}"

    def start(self) -> None:
        port, controller_port = self._ports
        self._process = Process(apache_kafka_service(port=port, controller_port=controller_port, folder=self.folder))
        self._process.wait_ready()

    def stop(self) -> None:
        self._process.stop()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Stopped for as long as the block."""
        self.stop()
        yield
        self.start()


@dataclass(frozen=True)
class Site:
    """An installation on a node of its own; the log of one partition can be copied and put back."""

    node: Node
    made: Installation
    copy: Path

    @property
    def _log(self) -> Path:
        return self.node.folder / "log" / f"{self.made.settings.events_topic}-{CUT}"

    def take_copy(self) -> None:
        with self.node.at_rest():
            shutil.copytree(self._log, self.copy)

    def put_copy_back(self) -> None:
        with self.node.at_rest():
            shutil.rmtree(self._log)
            shutil.copytree(self.copy, self._log)

    def end(self) -> int:
        topic = self.made.settings.events_topic
        return log_bounds(self.made.settings.brokers, [topic])[topic, CUT].end

    @contextmanager
    def workers(self, *apps: str) -> Iterator[None]:
        """At work until the block ends, then ended by SIGTERM."""
        with ExitStack() as started:
            workers = [started.enter_context(self.made.worker(app)) for app in apps]
            yield
            for worker in workers:
                os.kill(worker.pid, signal.SIGTERM)
            until(lambda: None not in [worker.exit_status for worker in workers], what="the end of the workers")
        without_workers(self.made)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Forty orders are folded, archived, and in the copy."""
    node = Node(tmp_path / "kafka")
    try:
        with installation_in(tmp_path, kafka=node.address) as made:
            site = Site(node, made, tmp_path / "copy")
            with site.workers("profiles", "history"):
                made.send(orders(40))
                until(lambda: (folded(made), archived(made)) == (40, 40), what="forty orders")
                worked_off(made)
            site.take_copy()
            yield site
    finally:
        node.stop()


def test_a_log_that_lost_its_end_is_read_on_from_where_it_parted_and_nothing_is_lost_or_counted_twice(
    site: Site,
) -> None:
    made, parted = site.made, site.end()
    with site.workers("profiles", "history"):
        made.send(orders(160, first=40))
        until(lambda: (folded(made), archived(made)) == (200, 200), what="two hundred orders")
        worked_off(made)
    reached = site.end()
    site.put_copy_back()
    assert site.end() == parted < reached

    # What is appended now takes offsets that were used before.
    asyncio.run(made.append(orders(60, first=200)))
    with site.workers("profiles"):
        until(lambda: leases(made), what="a worker at work")
        refused = made.rapport("log", "adopt")
        assert (refused.returncode, "stop first: worker profiles" in refused.stderr) == (1, True), refused.stderr
    adopted = made.rapport("log", "adopt", "--json")
    assert (adopted.returncode, json.loads(adopted.stdout)) == (0, {"epoch": 2, "lost": []}), adopted.stderr

    with site.workers("profiles", "history"):
        made.send(orders(40, first=260))
        until(lambda: folded(made) == 300, what="every order once")
        until(lambda: archived(made) == 300, what="every fact once in history")
    assert made.rapport("diff", "--against", "history").returncode == 0
    again = made.rapport("log", "adopt")
    assert "there is nothing to adopt" in again.stderr


def test_what_neither_the_log_nor_history_holds_any_more_is_given_up_by_a_person_only(site: Site) -> None:
    made, parted = site.made, site.end()
    with site.workers("profiles"):
        made.send(orders(160, first=40))
        until(lambda: folded(made) == 200, what="two hundred orders")
        worked_off(made, keeps_history=False)
    reached = site.end()
    site.put_copy_back()

    refused = made.rapport("log", "adopt")
    lacking = f"history does not reach the checkpoint, it lacks partition {CUT}: {parted} to {reached - 1}"
    assert refused.stderr == f"rapport: {lacking}; `--accept-gap` goes on without it\n"
    adopted = made.rapport("log", "adopt", "--accept-gap", "--json")
    [lost] = json.loads(adopted.stdout)["lost"]
    assert (lost["partition"], lost["start"], lost["end"]) == (CUT, parted, reached)

    with site.workers("profiles", "history"):
        made.send(orders(40, first=200))
        until(lambda: folded(made) == 240, what="every order once")
        until(lambda: archived(made) == 240 - (reached - parted), what="in history what any log still holds")
