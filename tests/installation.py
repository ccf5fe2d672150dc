"""A whole installation for a test: broker, store and data folder of its own, and the product's processes on them."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from kafka.admin import KafkaAdminClient

from commands.lag_board import read_board
from commands.sealing import sealing_of
from commands.settings import KEY_FILE, Keyring, Settings, make_keyring, settings_of
from embedded.process import Process, running
from embedded.service import Service
from events.admission import Admission, EventRefused
from events.keys import checkpoint_key, facet_key
from events.log import KafkaLog
from events.partitioning import partition_of
from events.position import Stream, decode_checkpoint
from events.pseudonyms import Pseudonyms
from profiles.codec import decode_facet
from profiles.facet import Facet
from streams.admin import ensure_topics, log_bounds
from streams.producer import IntakeProducer
from tests.builders import NOW, TRUSTED, raw
from tests.servers import ROOT, Valkey, embedded_broker, embedded_store
from tests.waiting import until

PARTITIONS = 4
SPREADING = "6dc4c01b6b494373b7fb165cabd569fcea0da84d375835b4a1e70c4314864512"
"""A key under which `app:0` to `app:19`, and the first five of them, are in every one of the partitions.

Under one made by chance some partition would be without anybody once in eighty installations.
"""


@dataclass(frozen=True)
class Installation:
    """Addresses and folder of one installation, and what a test asks of it."""

    settings: Settings
    keyring: Keyring
    store: Valkey

    @property
    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.keyring.pseudonym_key, self.settings.region)

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings as the product's processes read them."""
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "RAPPORT_KAFKA": self.settings.kafka,
            "RAPPORT_TOPIC_PREFIX": self.settings.topic_prefix,
            "RAPPORT_REDIS": self.settings.redis,
            "RAPPORT_DATA": str(self.settings.data),
            "RAPPORT_PARTITIONS": str(self.settings.partitions),
        }

    @contextmanager
    def worker(self, app: str = "profiles", **settings: str) -> Iterator[Process]:
        """A worker process, from its start to its end, with settings of its own (`instance_id="worker-1"`)."""
        service = Service(
            name=app,
            argv=[sys.executable, "-c", "import cli; cli.main()", "worker", "--app", app],
            environment={**self.environment, **{f"RAPPORT_{name.upper()}": value for name, value in settings.items()}},
            folder=ROOT,
            log=self.settings.data / f"{app}.log",
        )
        with running(service) as process:
            yield process

    def rapport(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, run to its end."""
        argv = [sys.executable, "-c", "import cli; cli.main()", *words]
        return subprocess.run(
            argv, env=dict(self.environment), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )

    def send(self, events: Sequence[Mapping[str, Any] | bytes], *, source: str | None = None) -> None:
        """Put events on the intake topic of a source (None: the open one), keyed by their subject, acknowledged."""
        with IntakeProducer(brokers=self.settings.brokers, topic=self.settings.intake_topic(source)) as producer:
            for place, event in enumerate(events):
                raw = event if isinstance(event, bytes) else json.dumps(event).encode()
                key = b"unknown" if isinstance(event, bytes) else str(event["subject"]).encode()
                producer.send(place=place, key=key, value=raw)
            producer.flush()

    async def append(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Put events of the source `crm` on the log of facts itself, past every worker."""
        admission = Admission(pseudonyms=self.pseudonyms, partitions=self.settings.partitions)
        sealing = sealing_of(self.settings, self.keyring)
        log = KafkaLog(brokers=self.settings.kafka, topic=self.settings.events_topic, epoch=1, sealing=sealing)
        await log.start()
        try:
            for each in events:
                facts = admission.admit(raw(each), door=TRUSTED, received_at=NOW)
                assert not isinstance(facts, EventRefused)
                await log.append(facts)
        finally:
            await log.stop()

    def facet(self, identity: str) -> Facet:
        """What is folded of a clear identity; empty when nothing is."""
        [found] = self.facets([identity])
        return found

    def facets(self, identities: Sequence[str]) -> list[Facet]:
        """What is folded of each, in one request."""
        names = [self.pseudonyms.of(identity) for identity in identities]
        keys = [facet_key(partition_of(name.encode(), self.settings.partitions), name) for name in names]
        with self._client() as client:
            blobs = client.mget(keys)
        assert isinstance(blobs, list)
        return [decode_facet(blob) if isinstance(blob, bytes) else Facet() for blob in blobs]

    def checkpoints(self, topic: str | None = None, *, app: str = "profiles") -> list[int]:
        """The offset an app has reached in each partition of a topic (None: the log of facts)."""
        topic = topic or self.settings.events_topic
        names = [checkpoint_key(Stream(app, topic, partition)) for partition in range(self.settings.partitions)]
        with self._client() as client:
            found = client.mget(names)
        assert isinstance(found, list)
        return [decode_checkpoint(each).offset if isinstance(each, bytes) else 0 for each in found]

    def done(self, topic: str | None = None, *, app: str = "profiles") -> int:
        """How many offsets of a topic an app's checkpoints have behind them."""
        return sum(self.checkpoints(topic, app=app))

    def stopped(self, app: str = "profiles") -> dict[tuple[str, int], str]:
        """The partitions an app does not read, and why, as its workers said last."""
        lags = read_board(self.settings, app=app)
        return {(lag.topic, lag.partition): lag.stopped for lag in lags if lag.stopped is not None}

    def log_of(self, app: str = "profiles") -> str:
        """What an app's workers wrote to their log."""
        return (self.settings.data / f"{app}.log").read_text(errors="replace")

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.settings.redis)


@contextmanager
def installation_in(
    folder: Path, *, partitions: int = PARTITIONS, kafka: str | None = None, store_port: int | None = None
) -> Iterator[Installation]:
    """An empty installation with its topics made; it ends with the block.

    On the cluster at `kafka`, else the one that RAPPORT_KAFKA names, else an embedded broker of its own. A cluster is
    shared: topics and groups have a prefix of their own there, and the topics go with the block.
    """
    with ExitStack() as started:
        shared = kafka or named_cluster()
        address = shared or started.enter_context(embedded_broker(folder))
        store = started.enter_context(embedded_store(folder / "store", port=store_port))
        settings = settings_of(
            kafka=address,
            topic_prefix=fresh_prefix(),
            redis=store.url,
            data=folder / "data",
            partitions=partitions,
        )
        ensure_topics(settings.brokers, settings.topics, replication=1)
        if shared:
            started.callback(remove_topics, settings, settings.topics)
        yield Installation(settings, keyring_in(settings), store)


def keyring_in(settings: Settings) -> Keyring:
    """The keys of an installation for tests, which stand in its data folder afterwards."""
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / KEY_FILE).write_text(f"{SPREADING}\n")
    return make_keyring(settings)


def named_cluster() -> str | None:
    """The cluster all tests are to run on, if one is named."""
    return os.environ.get("RAPPORT_KAFKA")


def fresh_prefix() -> str:
    """What the topics and groups of nobody else on a cluster begin with."""
    return f"test-{uuid.uuid4().hex[:8]}"


@contextmanager
def cluster_for_up() -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
    """The words and variables by which `rapport up` works on the named cluster; none where none is named."""
    kafka = named_cluster()
    if kafka is None:
        yield (), {}
        return
    settings = settings_of(kafka=kafka, topic_prefix=fresh_prefix())
    try:
        yield ("--kafka", kafka), {"RAPPORT_TOPIC_PREFIX": settings.topic_prefix}
    finally:
        remove_topics(settings, settings.topics)


def remove_topics(settings: Settings, topics: Collection[str]) -> None:
    """Delete topics of a cluster that others use too; gone when this returns."""
    admin = KafkaAdminClient(bootstrap_servers=settings.brokers)
    try:
        admin.delete_topics(list(topics))
    finally:
        admin.close()
    until(lambda: not log_bounds(settings.brokers, topics), what="the end of the topics")
