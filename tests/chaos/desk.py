"""The API of a site, as a process that is killed and started again; it reaches its store through a proxy of its own."""

import sys
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Final

from api.auth import Role
from commands.keys import demo_keys
from embedded.ports import LOOPBACK, free_port
from embedded.process import Process
from embedded.service import Service
from embedded.store import store_url
from tests.chaos.commits import AFTER, BEFORE, Point
from tests.chaos.proxy import Proxy
from tests.chaos.site import Site
from tests.servers import ROOT

_HOLD: Final = b":hold:"


class HoldTap:
    """See `proxy.Tap`. `arm` has it keep the next hold of a no from the store, or the store's answer from the API."""

    def __init__(self) -> None:
        self.caught = threading.Event()
        self._armed: Point | None = None
        self._placing: set[int] = set()

    def arm(self, point: Point) -> None:
        """Hold the next one there; `caught` is set when it is held."""
        self.caught.clear()
        self._armed = point

    def disarm(self) -> None:
        """Hold nothing."""
        self._armed = None

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

    def _holds(self, point: Point) -> bool:
        if self._armed != point:
            return False
        self._armed = None
        self.caught.set()
        return True


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
        ready=lambda: answers(port),
        ready_timeout_s=90.0,
    )
    process = Process(service)
    process.wait_ready()
    return Desk(site, tap, proxy, service, keys, port, process)


def answers(port: int) -> bool:
    """Whether an API listens there and is well."""
    connection = HTTPConnection(LOOPBACK, port, timeout=2.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
