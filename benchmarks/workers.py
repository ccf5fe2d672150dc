"""`python -m benchmarks workers`: one worker process and two over the same log, counted only while all of them work."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import psutil
import typer
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from benchmarks.contenders.task import Mark, Task
from benchmarks.model import differences, exact
from benchmarks.options import AgainOption, ResultsOption
from benchmarks.preload import produce
from benchmarks.product import PATIENCE_S, POLL_S, Stalled, events_topic, mark, prefix_of, worker_service
from benchmarks.redis_probe import StoreProbe
from benchmarks.results import RESULTS, keep, open_results
from benchmarks.servers import bench_folder, kafka_at, load_average, store_in
from benchmarks.tables import show_workers
from benchmarks.workload import Message, Workload, messages
from embedded.process import running
from streams.admin import ensure_topics
from tests.waiting import until

UNTIL: Final = 0.9
"""The share of the log up to which is counted: beyond it one worker may already be done with its partitions."""

ANSWER_S: Final = 3.0


def main(
    *,
    events: Annotated[int, typer.Option(help="records in the log")] = 400_000,
    people: Annotated[int, typer.Option(help="people they are about")] = 40_000,
    rounds: Annotated[int, typer.Option(help="how often each number of workers runs")] = 3,
    kafka: Annotated[str, typer.Option(envvar="RAPPORT_KAFKA", help="brokers; else one is started")] = "",
    again: AgainOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Measure one worker and two and print the table; what was measured before under the same settings is kept."""
    workload = Workload(events=events, people=people)
    path = results / "workers.json"
    settings = {"workload": msgspec.to_builtins(workload)}
    kept = open_results(path, experiment="workers", settings=settings, fresh=again)
    told = messages(workload)
    with bench_folder() as folder, kafka_at(kafka, folder) as address:
        for number in range(1, rounds + 1):
            for count in (1, 2):
                if any(run["workers"] == count and run["round"] == number for run in kept.runs):
                    continue
                load = load_average()
                figures = measure(address, told, count=count, workload=workload, folder=folder / f"{number}-{count}")
                kept.runs.append({"round": number, "workers": count, "load_average": load, **figures})
                keep(kept, path)
    show_workers(kept)


def measure(kafka: str, told: Sequence[Message], *, count: int, workload: Workload, folder: Path) -> dict[str, Any]:
    """One run of `count` workers, its end state compared with the model."""
    topic, partitions = events_topic("workers"), workload.partitions
    admin = AdminClient({"bootstrap.servers": kafka})
    ensure_topics([kafka], {topic: partitions}, replication=1)
    with ExitStack() as started:
        store, _ = started.enter_context(store_in(folder / "store"))
        task = Task(kafka=kafka, topic=topic, partitions=partitions, group=topic, store=store, records=len(told))
        data = folder / "data"
        processes = []
        for at in range(count):
            service = worker_service(task, folder=data, name=f"worker-{at}")
            processes.append(started.enter_context(running(service)))
            until(lambda: _members(admin, task) == len(processes), within_s=PATIENCE_S, what="a group that is settled")
        # Produced once all of them wait for it.
        produce(kafka, topic, told, form="fact")
        figures = _watch(task, [psutil.Process(process.pid) for process in processes])
        probe = StoreProbe(store)
        until(lambda: probe.waiting(topic, partitions) == 0, what="an empty outbox")
        wrong = differences(exact(told), probe.facets(topic, partitions))
    if wrong:
        raise Stalled(f"{wrong} differences: this run does not count")
    return figures


def _members(admin: AdminClient, task: Task) -> int:
    """Members of the group that hold partitions; 0 while it is not stable or nobody answers for it."""
    name = f"{prefix_of(task.topic)}-profiles"
    try:
        group = admin.describe_consumer_groups([name], request_timeout=ANSWER_S)[name].result()
    except KafkaException:
        return 0
    if group.state != ConsumerGroupState.STABLE:
        return 0
    return sum(bool(member.assignment.topic_partitions) for member in group.members)


def _watch(task: Task, watched: list[psutil.Process]) -> dict[str, Any]:
    probe = StoreProbe(task.store)
    begun = mark(sum(probe.offsets(task.topic, task.partitions)), watched, probe)
    first: Mark | None = None
    done = 0
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        offsets = probe.offsets(task.topic, task.partitions)
        done = sum(offsets)
        # Every worker has begun once every partition has.
        if first is None and all(offsets):
            # So short a log that it was half done between two looks is measured from before its first record.
            first = mark(done, watched, probe) if done < task.records / 2 else begun
        last = mark(done, watched, probe) if first is not None and done >= UNTIL * task.records else None
        if first is not None and last is not None and last.done > first.done:
            until(lambda: sum(probe.offsets(task.topic, task.partitions)) >= task.records, within_s=PATIENCE_S)
            events = last.done - first.done
            return {
                "events": events,
                "events_per_s": events / (last.at_s - first.at_s),
                "client_us": (last.client_s - first.client_s) / events * 1e6,
                "store_us": (last.store_s - first.store_s) / events * 1e6,
                "store_share": (last.store_s - first.store_s) / (last.at_s - first.at_s),
            }
        time.sleep(POLL_S)
    raise Stalled(f"{done} of {task.records} records done")
