"""A store that cannot persist, one that is slow, and a connection whose far end is gone: each is waited out."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedded import resp
from embedded.ports import LOOPBACK
from embedded.process import Process
from embedded.store import store_url
from tests.chaos.proxy import Proxies, Proxy, Weather
from tests.installation import Installation, installation_in
from tests.integration.orders import folded, orders
from tests.waiting import until

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Site:
    """An installation whose worker reaches its store by a proxy; the test reaches it past the proxy."""

    made: Installation
    proxy: Proxy
    worker: Process

    def ask(self, *words: str) -> str:
        return str(resp.ask(LOOPBACK, self.made.store.port, *words))

    def is_folded(self, total: int) -> bool:
        return folded(self.made) == total


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A worker that has folded forty orders."""
    with ExitStack() as stack:
        made = stack.enter_context(installation_in(tmp_path))
        proxy = stack.enter_context(Proxies()).open(target=made.store.port)
        worker = stack.enter_context(made.worker(redis=store_url(proxy.port)))
        made.send(orders(40))
        until(lambda: folded(made) == 40, what="forty orders folded")
        yield Site(made, proxy, worker)


def test_a_store_that_cannot_persist_takes_nothing_and_is_waited_for(site: Site, tmp_path: Path) -> None:
    in_the_way = tmp_path / "store" / "dump.rdb"
    in_the_way.mkdir()
    site.ask("CONFIG", "SET", "save", "3600 1")
    site.ask("BGSAVE")
    until(lambda: "rdb_last_bgsave_status:err" in site.ask("INFO", "persistence"), what="a snapshot that failed")
    site.made.send(orders(200, first=40))
    until(lambda: "the store cannot write to its disk" in site.made.log_of(), what="the worker saying so")
    assert site.is_folded(40)

    in_the_way.rmdir()
    site.ask("BGSAVE")
    until(lambda: "rdb_last_bgsave_status:ok" in site.ask("INFO", "persistence"), what="a snapshot")
    until(lambda: site.is_folded(240), what="all orders")
    assert site.worker.exit_status is None


def test_connections_whose_far_end_is_gone_are_given_up_and_made_anew(site: Site) -> None:
    lost = site.proxy.lose_far_end()
    assert lost > 0
    site.made.send(orders(200, first=40))

    # The client hears nothing more on these: only its own patience ends them. Idle ones are found out when needed.
    until(lambda: site.proxy.waiting_for_nobody() < lost, what="a connection given up")
    until(lambda: site.is_folded(240), what="all orders")
    assert site.worker.exit_status is None


def test_a_store_that_takes_a_second_for_each_answer_is_slow_and_nothing_else(site: Site) -> None:
    site.proxy.turn(Weather(delay_s=0.5))
    site.made.send(orders(200, first=40))

    until(lambda: site.is_folded(240), within_s=180, what="all orders")
    until(lambda: site.made.done(site.made.settings.intake_topic()) >= 240, within_s=180, what="the intake at its end")
    assert site.worker.exit_status is None
    assert "stops" not in site.made.log_of()
    assert site.made.stopped() == {}
