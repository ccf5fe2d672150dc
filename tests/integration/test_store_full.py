"""A store that is full or slow: the worker waits and says so, nothing is lost, and what is there can be read."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.lag_board import read_board
from embedded import resp
from embedded.ports import LOOPBACK
from embedded.process import Process
from streams.lag import too_late
from tests.installation import Installation, installation_in
from tests.integration.orders import folded, orders
from tests.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with installation_in(tmp_path) as made:
        yield made


@pytest.fixture
def worker(installation: Installation) -> Iterator[Process]:
    """A worker that has folded forty orders."""
    with installation.worker() as process:
        installation.send(orders(40))
        until(lambda: folded(installation) == 40, within_s=60, what="forty orders folded")
        yield process


def configure(installation: Installation, name: str, value: str) -> None:
    resp.ask(LOOPBACK, installation.store.port, "CONFIG", "SET", name, value)


def why_not_ready(installation: Installation) -> str | None:
    """What readiness says of the intake."""
    intake = installation.settings.intake_topic()
    lags = [lag for lag in read_board(installation.settings, app="profiles") if lag.topic == intake]
    now_ms = time.time_ns() // 1_000_000
    return too_late(lags, partitions=installation.settings.partitions, limit=0, now_ms=now_ms)


def test_a_full_store_is_waited_for_beyond_the_last_retry_and_costs_nothing_but_time(
    installation: Installation, worker: Process
) -> None:
    configure(installation, "maxmemory", "1")
    installation.send(orders(200, first=40))
    until(lambda: "waits: the store is full" in installation.log_of(), within_s=60, what="no end of waiting")
    until(lambda: why_not_ready(installation) is not None, what="readiness lost")
    assert folded(installation) == 40  # reads go on
    assert worker.exit_status is None

    configure(installation, "maxmemory", "0")
    until(lambda: folded(installation) == 240, within_s=60, what="all orders")
    until(lambda: why_not_ready(installation) is None, what="readiness")
    assert worker.exit_status is None
    lines = [line for line in installation.log_of().splitlines() if "streams.patience" in line]
    assert len(lines) < 20


def test_a_store_that_does_not_answer_is_left_behind_when_the_worker_is_told_to_stop(
    installation: Installation, worker: Process
) -> None:
    os.kill(installation.store.pid, signal.SIGSTOP)
    try:
        installation.send(orders(200, first=40))
        until(lambda: "ProfileStoreUnavailable" in installation.log_of(), within_s=60, what="the worker noticing")
        os.kill(worker.pid, signal.SIGTERM)
        until(lambda: worker.exit_status is not None, what="the end")
        assert worker.exit_status == 0  # it was not cut short
    finally:
        os.kill(installation.store.pid, signal.SIGCONT)
    with installation.worker():
        until(lambda: folded(installation) == 240, within_s=60, what="all orders")
