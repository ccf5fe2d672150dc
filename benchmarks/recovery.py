"""`python -m benchmarks recovery`: from a kill to the next event applied, while events keep coming.

A worker killed and replaced by a new member of its group, or by one with the same static membership; the store killed
and started again on its folder. At the end the store must hold what the model says.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from benchmarks.contenders.task import Task
from benchmarks.live import Pacer
from benchmarks.model import differences, exact
from benchmarks.options import AgainOption, ResultsOption
from benchmarks.product import PATIENCE_S, events_topic, worker_service
from benchmarks.redis_probe import StoreProbe
from benchmarks.results import RESULTS, keep, open_results
from benchmarks.servers import bench_folder, kafka_at, load_average, store_in
from benchmarks.tables import show_recovery
from benchmarks.workload import Message, Workload, messages
from embedded.ports import free_port
from embedded.process import Process
from streams.admin import ensure_topics
from streams.app import StreamSettings
from tests.waiting import until

CASES: Final = ("worker killed, a new member", "worker killed, static membership", "store killed")
SETTLED_S: Final = 0.2
"""After a kill: what was under way has landed by then, so what is applied later is the successor's work."""
EVENTS_MAX: Final = 200_000


class NotRecovered(Exception):
    """The end state is not what the model says."""


class Ground(NamedTuple):
    """What a case plays on."""

    task: Task
    folder: Path
    started: ExitStack
    probe: StoreProbe

    def done(self) -> int:
        """Records applied so far."""
        return sum(self.probe.offsets(self.task.topic, self.task.partitions))

    def worker(self, *, instance_id: str | None) -> Process:
        """A worker that was just started; it ends with the ground."""
        process = Process(worker_service(self.task, folder=self.folder / "data", instance_id=instance_id))
        self.started.callback(process.stop)
        return process


def main(
    *,
    rate: Annotated[int, typer.Option(help="facts per second meanwhile")] = 500,
    rounds: Annotated[int, typer.Option(help="how often each case")] = 3,
    kafka: Annotated[str, typer.Option(envvar="RAPPORT_KAFKA", help="brokers; else one is started")] = "",
    again: AgainOption = False,
    results: ResultsOption = RESULTS,
    cases: Annotated[str, typer.Option(help="names, separated by semicolons; all of them if empty")] = "",
) -> None:
    """Measure recovery and print the table; what was measured before under the same settings is kept."""
    settings = {"rate": rate, "session_timeout_s": StreamSettings().session_timeout_s}
    path = results / "recovery.json"
    kept = open_results(path, experiment="recovery", settings=settings, fresh=again)
    chosen = [name.strip() for name in cases.split(";") if name.strip()] or list(CASES)
    with bench_folder() as folder, kafka_at(kafka, folder) as address:
        for number in range(1, rounds + 1):
            told = messages(Workload(events=EVENTS_MAX // 10 if rate < 1000 else EVENTS_MAX, people=2000, seed=number))
            for name in chosen:
                if any(run["case"] == name and run["round"] == number for run in kept.runs):
                    continue
                load = load_average()
                times = measure(name, address, told, rate=rate, folder=folder / f"{number}-{chosen.index(name)}")
                kept.runs.append({"round": number, "case": name, "load_average": load, **times})
                keep(kept, path)
    show_recovery(kept)


def measure(name: str, kafka: str, told: Sequence[Message], *, rate: float, folder: Path) -> dict[str, Any]:
    """Seconds from process start to the first event, and from the kill to the next; NotRecovered if not exact."""
    topic, partitions, port = events_topic("recovery"), Workload(events=0, people=1).partitions, free_port()
    ensure_topics([kafka], {topic: partitions}, replication=1)
    with ExitStack() as started:
        stores = started.enter_context(ExitStack())
        url, store = stores.enter_context(store_in(folder / "store", port=port))
        task = Task(kafka=kafka, topic=topic, partitions=partitions, group=topic, store=url, records=len(told))
        ground = Ground(task, folder, started, StoreProbe(url))
        instance_id = "bench-0" if name == CASES[1] else None
        with Pacer(kafka, topic, told, rate=rate) as pacer:
            begin = time.monotonic()
            worker = ground.worker(instance_id=instance_id)
            cold_start_s = _until_beyond(ground, 0) - begin
            if name == CASES[2]:
                recovered_s = _kill(ground, store, lambda: stores.enter_context(store_in(folder / "store", port=port)))
            else:
                recovered_s = _kill(ground, worker, lambda: ground.worker(instance_id=instance_id))
        produced = told[: pacer.produced]
        until(lambda: ground.done() >= len(produced), within_s=PATIENCE_S, what="everything applied")
        until(lambda: ground.probe.waiting(topic, partitions) == 0, what="an empty outbox")
        if wrong := differences(exact(produced), ground.probe.facets(topic, partitions)):
            raise NotRecovered(f"{name}: {wrong} differences after recovery")
    return {"cold_start_s": cold_start_s, "recovered_s": recovered_s, "facts": len(produced)}


def _kill(ground: Ground, victim: Process, restart: Callable[[], object]) -> float:
    """Seconds from the kill of a process, which is started again at once, to the next event applied."""
    killed_s = time.monotonic()
    stood = ground.done()
    victim.kill()
    restart()
    if victim.service.name != "store":
        time.sleep(SETTLED_S)
        stood = ground.done()
    return _until_beyond(ground, stood) - killed_s


def _until_beyond(ground: Ground, stood: int) -> float:
    """When more than `stood` records are applied, on the monotonic clock."""
    until(lambda: ground.done() > stood, within_s=PATIENCE_S, what="the next event applied")
    return time.monotonic()
