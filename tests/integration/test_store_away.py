"""A store that goes away for a while: the worker waits, and goes on where it was."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.installation import Installation
from tests.integration.brokers import on_each_broker
from tests.integration.orders import folded, orders
from tests.servers import embedded_store
from tests.waiting import until

pytestmark = pytest.mark.servers

ORDERS, MORE = 3000, 300


@on_each_broker
def test_a_store_that_is_away_for_seconds_costs_nothing_but_time(installation: Installation, tmp_path: Path) -> None:
    made, settings, store = installation, installation.settings, installation.store
    with ExitStack() as running:
        made.send(orders(ORDERS))
        worker = running.enter_context(made.worker())
        until(lambda: folded(made) > 0, what="some work done")

        os.kill(store.pid, signal.SIGKILL)
        made.send(orders(MORE, first=ORDERS))  # so that there is work left, however far it came
        log = settings.data / "profiles.log"
        # It has tried for more than four seconds by then.
        until(lambda: "again in 5.0 s" in log.read_text(errors="replace"), what="the last try but one")
        running.enter_context(embedded_store(tmp_path / "store", port=store.port))

        until(lambda: folded(made) == ORDERS + MORE, within_s=60, what="all orders")
        until(lambda: made.done(settings.intake_topic()) >= ORDERS + MORE, what="the intake at its end")
        # What was appended and could not be committed was appended again, and counted once.
        until(lambda: made.done() >= ORDERS + MORE, what="the log at its end")
        assert folded(made) == ORDERS + MORE
        assert worker.exit_status is None
        os.kill(worker.pid, signal.SIGTERM)
        until(lambda: worker.exit_status is not None, what="the end")
        assert worker.exit_status == 0
