"""`python -m benchmarks latency`: from a fact produced to its effect readable in the store, at a fixed rate.

Facts go straight to the log of facts, since that is all the raw loop reads; admission is not part of it.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import typer

from benchmarks.contenders.task import Task
from benchmarks.live import Lookout, Pacer
from benchmarks.options import AgainOption, ResultsOption
from benchmarks.product import PATIENCE_S, events_topic, worker_service
from benchmarks.redis_probe import StoreProbe
from benchmarks.results import RESULTS, keep, open_results
from benchmarks.servers import Fsync, bench_folder, kafka_at, load_average, store_in
from benchmarks.tables import show_latency
from benchmarks.workload import Message, Workload, messages
from embedded.process import running
from embedded.service import Service
from streams.admin import ensure_topics
from tests.servers import ROOT
from tests.waiting import until

CONTENDERS: Final = ("ours", "raw loop")
AWAKE: Final = 10
"""Records that find out when a contender is awake; part of the warm-up."""


class Unseen(Exception):
    """Some records were never readable."""


def main(
    *,
    rate: Annotated[int, typer.Option(help="facts per second")] = 5000,
    seconds: Annotated[float, typer.Option(help="length of a run that counts")] = 20,
    warm_up: Annotated[float, typer.Option(help="seconds before it that do not")] = 5,
    people: Annotated[int, typer.Option(help="people they are about")] = 20_000,
    rounds: Annotated[int, typer.Option(help="how often each contender runs")] = 3,
    fsync: Annotated[str, typer.Option(help="the store's appendfsync: always, everysec or no")] = "always",
    kafka: Annotated[str, typer.Option(envvar="RAPPORT_KAFKA", help="brokers; else one is started")] = "",
    again: AgainOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Measure latency and print the table; what was measured before under the same settings is kept."""
    settings = {"rate": rate, "seconds": seconds, "warm_up": warm_up, "people": people, "fsync": fsync}
    path = results / f"latency-{fsync}.json"
    kept = open_results(path, experiment="latency", settings=settings, fresh=again)
    events = int(rate * (seconds + warm_up))
    with bench_folder() as folder, kafka_at(kafka, folder) as address:
        for number in range(1, rounds + 1):
            told = messages(Workload(events=events, people=people, seed=number))
            for name in CONTENDERS:
                if any(run["contender"] == name and run["round"] == number for run in kept.runs):
                    continue
                run = {"round": number, "contender": name, "load_average": load_average()}
                with _contender(name, address, folder / f"{name}-{number}", msgspec.convert(fsync, Fsync)) as task:
                    run |= measure(task, told, rate=rate, skip=int(rate * warm_up))
                kept.runs.append(run)
                keep(kept, path)
    show_latency(kept)


@contextmanager
def _contender(name: str, kafka: str, folder: Path, fsync: Fsync) -> Iterator[Task]:
    """One of the two, waiting for records on an empty log and an empty store."""
    topic, partitions = events_topic("latency"), Workload(events=0, people=1).partitions
    ensure_topics([kafka], {topic: partitions}, replication=1)
    with ExitStack() as started:
        store, _ = started.enter_context(store_in(folder / "store", fsync=fsync))
        task = Task(kafka=kafka, topic=topic, partitions=partitions, group=topic, store=store, records=2**62)
        service = worker_service(task, folder=folder / "data") if name == "ours" else raw_loop_service(task)
        started.enter_context(running(service))
        yield task


def raw_loop_service(task: Task) -> Service:
    """The raw loop as a process that lasts."""
    argv = [sys.executable, "-m", "benchmarks.contenders.raw_loop", msgspec.json.encode(task).decode()]
    return Service(name="raw loop", argv=argv, folder=ROOT, environment={"PATH": "/usr/bin:/bin"})


def measure(task: Task, told: Sequence[Message], *, rate: float, skip: int) -> dict[str, Any]:
    """Percentiles in ms of the records after the first `skip`; Unseen when one never became readable."""
    probe = StoreProbe(task.store)
    with Lookout(task.store, task.topic, partitions=task.partitions) as lookout:
        with Pacer(task.kafka, task.topic, told[:AWAKE], rate=100) as first:
            first.finish()
        _seen(probe, task, AWAKE)
        with Pacer(task.kafka, task.topic, told[AWAKE:], rate=rate) as pacer:
            pacer.finish()
        _seen(probe, task, len(told))
    places = sorted(pacer.places, key=lambda place: place[2])[max(0, skip - AWAKE) :]
    waits_ms = lookout.latencies_s(places) * 1000
    if not np.isfinite(waits_ms).all():
        raise Unseen(f"{int((~np.isfinite(waits_ms)).sum())} of {len(waits_ms)} records were never readable")
    quantiles = {f"p{q:g}": float(np.percentile(waits_ms, q)) for q in (50, 99, 99.9)}
    return {**quantiles, "most": float(waits_ms.max()), "records": len(waits_ms)}


def _seen(probe: StoreProbe, task: Task, count: int) -> None:
    until(
        lambda: sum(probe.offsets(task.topic, task.partitions)) >= count,
        within_s=PATIENCE_S,
        what=f"{count} records readable",
    )
