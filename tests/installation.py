"""A whole installation for a test: broker, store and data folder of its own, and the product's processes on them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from commands.settings import EVENTS, INTAKE, Keyring, Settings, make_keyring, settings_of
from embedded.process import Process, running
from embedded.service import Service
from events.keys import checkpoint_key, facet_key
from events.partitioning import partition_of
from events.position import Stream, decode_checkpoint
from events.pseudonyms import Pseudonyms
from profiles.codec import decode_facet
from profiles.facet import Facet
from streams.admin import ensure_topics
from streams.producer import IntakeProducer
from tests.servers import ROOT, Valkey, embedded_broker, embedded_store

PARTITIONS = 4


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
            "RAPPORT_REDIS": self.settings.redis,
            "RAPPORT_DATA": str(self.settings.data),
            "RAPPORT_PARTITIONS": str(self.settings.partitions),
        }

    @contextmanager
    def worker(self, app: str = "profiles") -> Iterator[Process]:
        """A worker process, from its start to its end."""
        service = Service(
            name=app,
            argv=[sys.executable, "-c", "import cli; cli.main()", "worker", "--app", app],
            environment=self.environment,
            folder=ROOT,
            log=self.settings.data / f"{app}.log",
        )
        with running(service) as process:
            yield process

    def rapport(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, run to its end."""
        argv = [sys.executable, "-c", "import cli; cli.main()", *words]
        return subprocess.run(
            argv, env=dict(self.environment), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )

    def send(self, events: Sequence[Mapping[str, Any] | bytes], *, topic: str = INTAKE) -> None:
        """Put events on an intake topic, keyed by their subject, acknowledged."""
        with IntakeProducer(brokers=self.settings.brokers, topic=topic) as producer:
            for place, event in enumerate(events):
                raw = event if isinstance(event, bytes) else json.dumps(event).encode()
                key = b"unknown" if isinstance(event, bytes) else str(event["subject"]).encode()
                producer.send(place=place, key=key, value=raw)
            producer.flush()

    def facet(self, identity: str) -> Facet:
        """What is folded of a clear identity; empty when nothing is."""
        name = self.pseudonyms.of(identity)
        with self._client() as client:
            blob = client.get(facet_key(partition_of(name.encode(), self.settings.partitions), name))
        return decode_facet(blob) if isinstance(blob, bytes) else Facet()

    def done(self, topic: str = EVENTS, *, app: str = "profiles") -> int:
        """How many offsets of a topic an app's checkpoints have behind them."""
        names = [checkpoint_key(Stream(app, topic, partition)) for partition in range(self.settings.partitions)]
        with self._client() as client:
            found = client.mget(names)
        assert isinstance(found, list)
        return sum(decode_checkpoint(raw).offset for raw in found if isinstance(raw, bytes))

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.settings.redis)


@contextmanager
def installation_in(folder: Path, *, partitions: int = PARTITIONS) -> Iterator[Installation]:
    """An empty installation with its topics made; it ends with the block."""
    with embedded_broker(folder) as kafka, embedded_store(folder / "store") as store:
        settings = settings_of(kafka=kafka, redis=store.url, data=folder / "data", partitions=partitions)
        ensure_topics(settings.brokers, settings.topics, replication=1)
        yield Installation(settings, make_keyring(settings), store)
