import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from embedded import broker, resp
from embedded.broker import broker_service
from embedded.ports import LOOPBACK, free_port, free_ports, held_port
from embedded.process import NotReady, Process, running
from embedded.store import store_service
from embedded.wheels import ProgramMissing, program
from tests.servers import SLOTS, Valkey, ValkeyCluster, embedded_store
from tests.waiting import until


def test_ports_given_together_differ() -> None:
    assert len(set(free_ports(20))) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port cannot be bound by two")
def test_a_port_that_is_held_is_for_the_server_it_is_meant_for_and_nobody_else() -> None:
    port = free_port()
    with held_port(LOOPBACK, port):
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, port))
        # A server says SO_REUSEADDR.
        with socket.create_server((LOOPBACK, port)), socket.create_connection((LOOPBACK, port)):
            pass


def test_a_port_on_which_somebody_listens_cannot_be_held() -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as taken,
        pytest.raises(OSError, match="in use"),
        held_port(LOOPBACK, taken.getsockname()[1]),
    ):
        pass


def test_a_wheel_without_the_program_says_what_to_do() -> None:
    with pytest.raises(ProgramMissing, match="name servers that exist"):
        program(package="embedded", inside="bin/nothing")


def test_nobody_answers_where_nobody_listens() -> None:
    port = free_port()

    assert not broker.answers(LOOPBACK, port)
    assert not resp.answers(LOOPBACK, port)


def test_a_listener_that_says_nothing_is_no_broker() -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        assert not broker.answers(LOOPBACK, silent.getsockname()[1])


@pytest.mark.servers
def test_the_broker_answers_and_is_gone_afterwards(tmp_path: Path) -> None:
    port = free_port()
    with running(broker_service(port=port, log=tmp_path / "broker.log")) as process:
        assert broker.answers(LOOPBACK, port)

    assert process.exit_status is not None
    assert not broker.answers(LOOPBACK, port)


def test_each_start_of_the_broker_is_another_cluster() -> None:
    assert broker_service(port=9092).argv != broker_service(port=9092).argv


def test_the_store_writes_to_disk_before_it_answers_and_never_evicts(valkey: Valkey, valkey_url: str) -> None:
    info = resp.ask(LOOPBACK, valkey.port, "INFO").splitlines()

    assert "aof_enabled:1" in info
    assert "maxmemory_policy:noeviction" in info


@pytest.mark.servers
def test_the_store_keeps_its_data_over_a_kill(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as first:
        resp.ask(LOOPBACK, first.port, "SET", "answer", "forty-two")
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: not resp.answers(LOOPBACK, first.port), what="the end of the store")

    with embedded_store(tmp_path) as second:
        assert resp.ask(LOOPBACK, second.port, "GET", "answer") == "forty-two"


def test_a_store_on_a_taken_port_says_where_to_look(valkey: Valkey, tmp_path: Path) -> None:
    taken = store_service(port=valkey.port, folder=tmp_path, log=tmp_path / "store.log")
    process = Process(taken)
    until(lambda: process.exit_status is not None, what="the end of the second store")

    with pytest.raises(NotReady, match=r"store ended with status 1 before it was ready; see .*store\.log"):
        process.wait_ready()


def test_apache_kafka_answers(apache_kafka: str) -> None:
    host, port = apache_kafka.split(":")

    assert broker.answers(host, int(port))


def test_an_error_of_the_store_is_told_as_such(valkey: Valkey) -> None:
    with pytest.raises(resp.StoreSaidNo, match="unknown command"):
        resp.ask(LOOPBACK, valkey.port, "NONSENSE")


def test_every_node_of_the_cluster_answers_for_its_slots(valkey_cluster: ValkeyCluster) -> None:
    held = []
    for node in valkey_cluster.nodes:
        lines = resp.ask(LOOPBACK, node.port, "CLUSTER", "NODES").splitlines()
        own = next(line for line in lines if "myself" in line)
        first, last = own.split()[-1].split("-")
        held.append(int(last) - int(first) + 1)

    assert sum(held) == SLOTS
