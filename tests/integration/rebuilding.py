"""A rebuild that is killed half way, and how far it came."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from redis import Redis

from embedded.ports import LOOPBACK
from embedded.process import running
from embedded.service import Service
from events.keys import partition_key
from tests.chaos.proxy import Proxies
from tests.installation import Installation
from tests.servers import ROOT
from tests.waiting import until


def places(made: Installation) -> list[int]:
    """The partitions of which something is rebuilt."""
    partitions = range(made.settings.partitions)
    with Redis.from_url(made.settings.redis) as client:
        return [at for at in partitions if client.exists(partition_key("rebuilt", at))]


@dataclass
class _Dam:
    """See `tests.chaos.proxy.Tap`. Lets nothing more through to the store once something holds."""

    once: Callable[[], object]
    is_shut: threading.Event = field(default_factory=threading.Event)

    def asked(self, _link: int, _data: bytes) -> bool:
        if not self.is_shut.is_set() and self.once():
            self.is_shut.set()
        return self.is_shut.is_set()

    def answered(self, _link: int, _data: bytes) -> bool:
        return False

    def closed(self, _link: int) -> None: ...


def killed(made: Installation, *words: str, once: Callable[[], object], what: str) -> None:
    """Run a command, and kill it as soon as something holds, however quickly it would have gone on."""
    with Proxies() as proxies:
        dam = _Dam(once)
        proxy = proxies.open(target=made.store.port, tap=dam)
        url = f"redis://{LOOPBACK}:{proxy.port}/{made.settings.redis.rpartition('/')[2]}"
        service = Service(
            name=words[0],
            argv=[sys.executable, "-c", "import cli; cli.main()", *words],
            environment={**made.environment, "RAPPORT_REDIS": url},
            folder=ROOT,
            log=made.settings.data / "command.log",
        )
        with running(service) as process:
            until(dam.is_shut.is_set, within_s=120, what=what)
            process.kill()
