"""The place of the chaos: broker, store and workers as real processes, with proxies where connections are to suffer."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import redis

from commands.settings import make_keyring, settings_of
from embedded.broker import broker_service
from embedded.ports import LOOPBACK, free_ports
from embedded.process import Process
from embedded.service import Service
from embedded.store import store_service, store_url
from events.keys import checkpoint_key
from events.position import Stream, decode_checkpoint
from streams.admin import ensure_topics
from tests.chaos.commits import CommitTap, Partition
from tests.chaos.proxy import Proxies, Proxy
from tests.installation import Installation, remove_topics
from tests.servers import ROOT, Valkey, apache_kafka_service

EMBEDDED: Final = "embedded"
APACHE: Final = "apache"
HISTORY: Final = "history"
PROFILES: Final = "profiles"
SESSION_S: Final = 6.0
"""How long the broker waits for a member that says nothing, as workers ask for it."""


@dataclass(eq=False)
class Worker:
    """A worker process that is started again and again; `proxy` and `tap` stand between it and its store."""

    service: Service
    app: str
    tap: CommitTap
    proxy: Proxy
    process: Process
    started_at: float = field(default_factory=time.monotonic)
    archived_at_start: int = 0
    is_frozen: bool = False

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        assert self.service.log is not None
        return (self.service.log.read_text().splitlines() or ["nothing said"])[-1]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)


@dataclass(eq=False)
class Site:
    """All processes of one run. Made by `site_in`; everything here runs in the main thread."""

    folder: Path
    broker: str
    installation: Installation
    proxies: Proxies
    store: Process
    kafka: Process | None
    kafka_proxy: Proxy | None
    workers: dict[str, Worker] = field(default_factory=dict)

    @property
    def store_client(self) -> redis.Redis:
        """A client past the proxies."""
        return redis.Redis.from_url(self.installation.settings.redis, socket_timeout=5)

    def hire(self, name: str, *, app: str = PROFILES) -> Worker:
        """A worker that is not there yet."""
        tap = CommitTap()
        proxy = self.proxies.open(target=self.installation.store.port, tap=tap)
        environment = {**self.installation.environment, "RAPPORT_REDIS": store_url(proxy.port)}
        if self.broker != EMBEDDED:
            environment["RAPPORT_INSTANCE_ID"] = name
        service = Service(
            name=name,
            argv=[sys.executable, "-c", "import cli; cli.main()", "worker", "--app", app],
            environment=environment,
            folder=ROOT,
            log=self.folder / f"{name}.log",
        )
        self.workers[name] = worker = Worker(service, app, tap, proxy, Process(service))
        return worker

    def start(self, worker: Worker) -> None:
        """Start its process anew."""
        worker.process.kill()  # nothing, unless some of its group is left
        worker.tap.started()
        worker.started_at = time.monotonic()
        worker.is_frozen = False
        worker.process = Process(worker.service)

    def dismiss(self, worker: Worker) -> None:
        """Let it go for good, in order."""
        worker.process.stop()
        del self.workers[worker.name]

    def start_store(self) -> None:
        """Start the store on its folder."""
        self.store = Process(self.store.service)
        self.store.wait_ready()

    def kill_store(self) -> None:
        """kill -9."""
        self.store.kill()

    @property
    def store_folder(self) -> Path:
        """Where the store's append-only file is."""
        return self.folder / "store"

    def copy_store(self, to: Path) -> None:
        """Copy the append-only file as it stands, with the store held still meanwhile."""
        os.kill(self.store.pid, signal.SIGSTOP)
        try:
            shutil.rmtree(to, ignore_errors=True)
            shutil.copytree(self.store_folder, to)
        finally:
            os.kill(self.store.pid, signal.SIGCONT)

    def put_back_store(self, copy: Path) -> None:
        """Replace the folder of a store that is not running."""
        shutil.rmtree(self.store_folder)
        shutil.copytree(copy, self.store_folder)

    def restart_kafka(self) -> None:
        """kill -9 the broker and start it on its folder."""
        assert self.kafka is not None
        self.kafka.kill()
        self.kafka = Process(self.kafka.service)
        self.kafka.wait_ready()

    def checkpoints(self) -> dict[Partition, int]:
        """How far each partition is folded, of all topics read; OSError or redis.RedisError while the store is away."""
        settings = self.installation.settings
        places = [Partition(topic, at) for topic in settings.topics_read for at in range(settings.partitions)]
        with self.store_client as client:
            found = client.mget([checkpoint_key(Stream(PROFILES, *place)) for place in places])
        assert isinstance(found, list)
        stood = zip(places, found, strict=True)
        return {place: decode_checkpoint(raw).offset for place, raw in stood if isinstance(raw, bytes)}


@contextmanager
def site_in(folder: Path, *, broker: str, partitions: int = 8) -> Iterator[Site]:
    """Broker (`embedded`, `apache`, or `host:port` of one that runs) and store, empty; all ends with the block."""
    with ExitStack() as ending:
        proxies = ending.enter_context(Proxies())
        kafka, kafka_proxy, address = _broker(folder, broker, proxies, ending)
        [store_port] = free_ports(1)
        store = Process(store_service(port=store_port, folder=folder / "store", log=folder / "store.log"))
        store.wait_ready()
        settings = settings_of(
            kafka=address,
            redis=store_url(store_port),
            data=folder / "data",
            partitions=partitions,
            topic_prefix="chaos" if kafka else f"chaos-{time.time_ns()}",  # a cluster of somebody's is shared
        )
        ensure_topics(settings.brokers, settings.topics, replication=1)
        if kafka is None:
            ending.callback(remove_topics, settings, settings.topics)
        made = Installation(settings, make_keyring(settings), Valkey(store_port, store.pid))
        site = Site(folder, broker, made, proxies, store, kafka, kafka_proxy)
        try:
            yield site
        finally:
            for process in [*(worker.process for worker in site.workers.values()), site.store, site.kafka]:
                if process is not None:
                    process.kill()


def _broker(folder: Path, broker: str, proxies: Proxies, ending: ExitStack) -> tuple[Process | None, Proxy | None, str]:
    if broker not in (EMBEDDED, APACHE):
        return None, None, broker
    port, controller_port = free_ports(2)
    proxy = proxies.open(target=port)
    if broker == APACHE:
        service = apache_kafka_service(port=port, controller_port=controller_port, folder=folder / "kafka")
        service = replace(service, argv=[*service.argv, str(proxy.port)])
    else:
        service = broker_service(port=port, log=folder / "broker.log")
        advertised = [*service.argv]
        advertised[advertised.index("--advertised-listener-url") + 1] = f"tcp://{LOOPBACK}:{proxy.port}"
        service = replace(service, argv=advertised)
    process = Process(service)
    ending.callback(process.kill)
    process.wait_ready()
    return process, proxy, f"{LOOPBACK}:{proxy.port}"
