"""The product's own worker process, watched from outside: what it has done stands in its checkpoints."""

import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from pydantic import SecretStr

from benchmarks.contenders.task import Mark, Measured, Task
from benchmarks.redis_probe import StoreProbe
from benchmarks.workload import Message
from commands.sealing import sealing_of
from commands.settings import Settings, keyring_of
from embedded.process import Process, running
from embedded.service import Service
from events.fact import decode_fact
from tests.servers import ROOT

POLL_S = 0.02
_KEY = "00" * 32
PATIENCE_S = 120.0


class Stalled(Exception):
    """A contender ended, or did nothing for too long."""


def worker_service(task: Task, *, folder: Path, instance_id: str | None = None, name: str = "worker") -> Service:
    """`rapport worker` on the task's topic; `folder` is its data folder."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "RAPPORT_KAFKA": task.kafka,
        "RAPPORT_TOPIC_PREFIX": prefix_of(task.topic),
        "RAPPORT_REDIS": task.store,
        "RAPPORT_DATA": str(folder),
        "RAPPORT_PARTITIONS": str(task.partitions),
        "RAPPORT_PSEUDONYM_KEY": _KEY,
    }
    if instance_id is not None:
        environment["RAPPORT_INSTANCE_ID"] = instance_id
    folder.mkdir(parents=True, exist_ok=True)
    return Service(
        name=name,
        argv=[sys.executable, "-c", "import cli; cli.main()", "worker"],
        environment=environment,
        folder=ROOT,
        log=folder / f"{name}.log",
    )


def events_topic(label: str) -> str:
    """A name for a log of facts that no other run uses."""
    return f"bench-{label}-{secrets.token_hex(3)}.events"


def prefix_of(topic: str) -> str:
    """The topic prefix under which a topic is an installation's log of facts."""
    return topic.removesuffix(".events")


def sealed(told: Sequence[Message], *, folder: Path) -> list[Message]:
    """The same messages, their facts as the worker on that data folder would have sealed them; poison as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(data=folder, pseudonym_key=SecretStr(_KEY))
    sealing = sealing_of(settings, keyring_of(settings))
    facts = [(at, decode_fact(message.fact)) for at, message in enumerate(told) if message.happening is not None]
    values = sealing.seal([fact for _, fact in facts])
    by_place = {at: value for (at, _), value in zip(facts, values, strict=True)}
    return [message._replace(fact=by_place.get(at, message.fact)) for at, message in enumerate(told)]


@contextmanager
def worker(task: Task, *, folder: Path) -> Iterator[Process]:
    """One worker, from its start to its end."""
    with running(worker_service(task, folder=folder)) as process:
        yield process


def watch(task: Task, workers: Mapping[str, Process]) -> Measured:
    """Measure workers from the first commit that is seen to the last record. Stalled when they stop getting on."""
    probe = StoreProbe(task.store)
    watched = [psutil.Process(process.pid) for process in workers.values()]
    first: Mark | None = None
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = sum(probe.offsets(task.topic, task.partitions))
        if done and first is None:
            first = mark(done, watched, probe)
        if first is not None and done >= task.records:
            greatest = max(process.memory_info().rss for process in watched)
            return Measured(first=first, last=mark(done, watched, probe), rss_bytes=greatest)
        if any(process.exit_status is not None for process in workers.values()) or time.monotonic() > deadline:
            said = [_last_line(process.service.log) for process in workers.values()]
            raise Stalled(f"{done} of {task.records} records done; {said}")
        time.sleep(POLL_S)


def _last_line(log: Path | None) -> str:
    lines = log.read_text().splitlines() if log is not None and log.exists() else []
    return lines[-1] if lines else ""


def mark(done: int, watched: list[psutil.Process], probe: StoreProbe) -> Mark:
    """Where a run of these processes stands now."""
    at_s = time.monotonic()
    times = [process.cpu_times() for process in watched]
    client_s = sum(each.user + each.system for each in times)
    return Mark(done=done, at_s=at_s, client_s=client_s, store_s=probe.cpu_s())
