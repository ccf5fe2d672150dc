"""The API of a site, as a process that is killed and started again; it reaches its store through a proxy of its own."""

import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from api.auth import Role
from commands.keys import demo_keys
from commands.up_services import is_well
from embedded.ports import LOOPBACK, free_port
from embedded.process import Process
from embedded.service import Service
from embedded.store import store_url
from tests.chaos.commits import AFTER, BEFORE, Catching
from tests.chaos.proxy import Proxy
from tests.chaos.site import Site
from tests.servers import ROOT

_HOLD: Final = b":hold:"


class HoldTap(Catching):
    """See `proxy.Tap`. Catches the next hold of a no on its way to the store, or the store's answer to it."""

    def __init__(self) -> None:
        super().__init__()
        self._placing: set[int] = set()

    def asked(self, link: int, data: bytes) -> bool:
        if b"HSETNX" not in data or _HOLD not in data:
            self._placing.discard(link)
            return False
        self._placing.add(link)
        return self._holds(BEFORE)

    def answered(self, link: int, _data: bytes) -> bool:
        return link in self._placing and self._holds(AFTER)

    def closed(self, link: int) -> None:
        self._placing.discard(link)


@dataclass(eq=False)
class Desk:
    """The API of a site."""

    site: Site
    tap: HoldTap
    proxy: Proxy
    service: Service
    keys: dict[Role, str] = field(repr=False)
    port: int
    process: Process

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}"

    def kill(self) -> None:
        """kill -9; what was held, or is still on its way to the store, goes nowhere."""
        self.process.kill()
        self.proxy.cut()

    def start(self) -> None:
        """Start it anew; it is not ready yet."""
        self.process.kill()
        self.process = Process(self.service)


def desk_of(site: Site) -> Desk:
    """The API of a site, ready. It ends with whoever started it; `kill` ends it before."""
    settings, tap, port = site.installation.settings, HoldTap(), free_port()
    proxy = site.proxies.open(target=site.installation.store.port, tap=tap)
    keys = demo_keys(settings)
    service = Service(
        name="api",
        argv=[sys.executable, "-c", "import cli; cli.main()", "api", "--port", str(port)],
        environment={**site.installation.environment, "RAPPORT_REDIS": store_url(proxy.port)},
        folder=ROOT,
        log=site.folder / "api.log",
        ready=partial(is_well, LOOPBACK, port),
        ready_timeout_s=90.0,
    )
    process = Process(service)
    process.wait_ready()
    return Desk(site, tap, proxy, service, keys, port, process)
