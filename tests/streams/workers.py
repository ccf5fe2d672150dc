"""Start journal workers as processes of their own, and see what they wrote."""

import itertools
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from kafka import KafkaProducer

from tests.waiting import until

PROGRAM = Path(__file__).with_name("journal_worker.py")
ROOT = PROGRAM.parents[2]
PARTITIONS = 4


def fresh(word: str) -> str:
    """A name nobody used on this broker before."""
    return f"{word}-{uuid.uuid4().hex[:8]}"


def wait_until(condition: Callable[[], object], *, what: str) -> None:
    """A worker needs some seconds to join its group, and as many to take over from one that died."""
    until(condition, what=what)


def produce(kafka: str, topic: str, values: Sequence[bytes], *, partition: int | None = None) -> None:
    """Append in order, to one partition or round all of them, each acknowledged."""
    turn = itertools.cycle(range(PARTITIONS))
    producer = KafkaProducer(bootstrap_servers=[kafka], acks="all", enable_idempotence=False)
    try:
        for value in values:
            producer.send(topic, value, partition=next(turn) if partition is None else partition)
        producer.flush(timeout=60)
    finally:
        producer.close()


class Worker:
    """One process; used as a context manager, killed at the end if it still runs."""

    def __init__(
        self, kafka: str, *, group: str, journal: Path, topics: Sequence[str], trouble: str = "", instance: str = ""
    ) -> None:
        self.journal = journal
        self.errors = journal.with_name(f"{journal.name}.{fresh('stderr')}")
        argv = [sys.executable, str(PROGRAM), kafka, group, str(journal), *topics]
        env = {"PYTHONPATH": str(ROOT), "TROUBLE": trouble} | ({"INSTANCE": instance} if instance else {})
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(argv, cwd=ROOT, env=env, stderr=errors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        """What it said on stderr."""
        return self.errors.read_text(errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def frames(journal: Path, *, topic: str, partition: int | None = None) -> list[dict[str, Any]]:
    """The journal's whole lines for a topic."""
    if not journal.exists():
        return []
    lines = [json.loads(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if line["topic"] == topic and partition in (None, line["partition"])]


def offsets(journal: Path, *, topic: str, partition: int) -> list[int]:
    """Every offset handled, in the order it was."""
    return [offset for line in frames(journal, topic=topic, partition=partition) for offset in line["offsets"]]


def handled(journal: Path, *, topic: str) -> int:
    """How many records of the topic were handled, repeats counted."""
    return sum(len(line["offsets"]) for line in frames(journal, topic=topic))
