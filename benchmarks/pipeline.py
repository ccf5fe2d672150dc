"""`python -m benchmarks pipeline`: the worker against six others, over the same records, at the same durability.

Each round runs every contender once, so that whatever else the machine does hits all of them alike. A run counts only
when the store holds at its end what the model says.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import typer

from benchmarks.contenders.task import Measured, Task
from benchmarks.model import Expected, differences, exact, inexact
from benchmarks.options import AgainOption, ResultsOption
from benchmarks.preload import Form, produce
from benchmarks.product import events_topic, sealed, watch, worker
from benchmarks.redis_probe import StoreProbe
from benchmarks.results import RESULTS, Results, keep, open_results
from benchmarks.servers import Fsync, bench_folder, kafka_at, load_average, store_in
from benchmarks.tables import SEALED, show_pipeline
from benchmarks.workload import Message, Workload, messages
from streams.admin import ensure_topics
from tests.servers import ROOT
from tests.waiting import until

RUN_S: Final = 300.0


class Inexact(Exception):
    """A contender left something else in the store than the model says: its figures mean nothing."""


class Contender(NamedTuple):
    """Which form of the records it reads, what share of them, and what must stand in the store at its end.

    Without a module it is the product's own worker.
    """

    form: Form
    share: float
    model: Callable[[Sequence[Message]], Expected] | None
    module: str | None = None
    is_sealed: bool = False


CONTENDERS: Final[dict[str, Contender]] = {
    "ours": Contender("fact", 1, exact),
    SEALED: Contender("fact", 1, exact, is_sealed=True),
    "raw loop": Contender("fact", 1, exact, "raw_loop"),
    "lean loop": Contender("json", 1, inexact, "lean_redis_loop"),
    "leaner loop": Contender("json", 1, inexact, "leaner_redis_loop"),
    "quixstreams": Contender("fact", 1, exact, "quixstreams_sink"),
    "no-op Faust agent": Contender("fact", 0.2, None, "noop_agent"),
    "obvious Faust agent": Contender("json", 0.1, inexact, "obvious_redis_agent"),
}
"""The slow ones read the beginning of the log only; what is compared is the cost of an event."""


def main(
    *,
    events: Annotated[int, typer.Option(help="records in the log")] = 200_000,
    people: Annotated[int, typer.Option(help="people they are about")] = 20_000,
    person_max: Annotated[int, typer.Option(help="events of one person at most; 0: no cut")] = 1000,
    rounds: Annotated[int, typer.Option(help="how often each contender runs")] = 5,
    contenders: Annotated[str, typer.Option(help="names, separated by commas; all of them if empty")] = "",
    fsync: Annotated[str, typer.Option(help="the store's appendfsync: always, everysec or no")] = "always",
    label: Annotated[str, typer.Option(help="of the result file; else made of the settings")] = "",
    kafka: Annotated[str, typer.Option(envvar="RAPPORT_KAFKA", help="brokers; else one is started")] = "",
    again: AgainOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Measure the pipeline and print the table; what was measured before under the same settings is kept."""
    workload = Workload(events=events, people=people, person_max=person_max or None)
    chosen = [name.strip() for name in contenders.split(",") if name.strip()] or list(CONTENDERS)
    settings = {"workload": msgspec.to_builtins(workload), "fsync": fsync}
    path = results / f"pipeline-{label or (fsync if person_max else f'{fsync}-uncut')}.json"
    kept = open_results(path, experiment="pipeline", settings=settings, fresh=again)
    with bench_folder() as folder, kafka_at(kafka, folder) as address:
        field = Field(kafka=address, folder=folder, workload=workload, fsync=msgspec.convert(fsync, Fsync))
        for number in range(1, rounds + 1):
            for name in chosen:
                if not any(run["contender"] == name and run["round"] == number for run in kept.runs):
                    kept.runs.append({"round": number, **field.run(name)})
                    keep(kept, path)
                    _say(kept)
    show_pipeline(kept)


class Field:
    """The records on their topics, and the place where one contender after the other runs over them."""

    def __init__(self, *, kafka: str, folder: Path, workload: Workload, fsync: Fsync) -> None:
        self._kafka, self._folder, self._fsync = kafka, folder, fsync
        self._partitions = workload.partitions
        self._messages = messages(workload)
        self._topics: dict[tuple[Form, int], str] = {}
        self._count = 0

    def run(self, name: str) -> dict[str, Any]:
        """One run of one contender; Inexact when the store does not hold what it should."""
        contender = CONTENDERS[name]
        told = self._messages[: max(1, int(len(self._messages) * contender.share))]
        self._count += 1
        place = self._folder / f"run-{self._count}"
        if contender.is_sealed:
            told = sealed(told, folder=place / "data")
        # Ours refuses to go on with a log whose store is gone, so each of its runs has a log of its own.
        topic = self._topic(contender.form, told) if contender.module else self._new_topic(contender.form, told)
        with store_in(place / "store", fsync=self._fsync) as (store, _):
            task = Task(
                kafka=self._kafka,
                topic=topic,
                partitions=self._partitions,
                group=f"bench-{self._count}",
                store=store,
                records=len(told),
            )
            probe = StoreProbe(store)
            empty, load = probe.used_memory(), load_average()
            measured = self._measured(contender, task, place)
            figures = figures_of(measured) | {"contender": name, "load_average": load, "store": probe.version()}
            if contender.model is not None:
                expected = contender.model(told)
                _check(name, contender, task=task, probe=probe, expected=expected)
                figures["bytes_per_person"] = (probe.used_memory() - empty) / len(expected.people)
            return figures

    def _measured(self, contender: Contender, task: Task, place: Path) -> Measured:
        if contender.module is None:
            with worker(task, folder=place / "data") as process:
                measured = watch(task, {"worker": process})
                probe = StoreProbe(task.store)
                # The relay is still laying down what was set aside.
                until(lambda: probe.waiting(task.topic, task.partitions) == 0, what="an empty outbox")
                return measured
        argv = [sys.executable, "-m", f"benchmarks.contenders.{contender.module}", msgspec.json.encode(task).decode()]
        ended = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, timeout=RUN_S, check=True)
        return msgspec.json.decode(ended.stdout.splitlines()[-1], type=Measured)

    def _topic(self, form: Form, told: Sequence[Message]) -> str:
        wanted = (form, len(told))
        if wanted not in self._topics:
            self._topics[wanted] = self._new_topic(form, told)
        return self._topics[wanted]

    def _new_topic(self, form: Form, told: Sequence[Message]) -> str:
        topic = events_topic(form)
        ensure_topics([self._kafka], {topic: self._partitions}, replication=1)
        produce(self._kafka, topic, told, form=form)
        return topic


def _check(name: str, contender: Contender, *, task: Task, probe: StoreProbe, expected: Expected) -> None:
    found = probe.facets(task.topic, task.partitions) if contender.form == "fact" else probe.plain_counters()
    if wrong := differences(expected, found):
        raise Inexact(f"{name}: {wrong} differences over {len(expected.people)} people; this run does not count")


def figures_of(measured: Measured) -> dict[str, Any]:
    """Events/s, CPU microseconds per event of the client and the store, and the greatest resident memory."""
    first, last = measured.first, measured.last
    events, seconds = last.done - first.done, last.at_s - first.at_s
    return {
        "events": events,
        "events_per_s": events / seconds,
        "client_us": (last.client_s - first.client_s) / events * 1e6,
        "store_us": (last.store_s - first.store_s) / events * 1e6,
        "rss_mib": measured.rss_bytes / 2**20,
    }


def _say(kept: Results) -> None:
    run = kept.runs[-1]
    typer.echo(
        f"round {run['round']} {run['contender']}: {run['events_per_s']:,.0f} events/s, "
        f"{run['client_us']:.1f} µs client, {run['store_us']:.1f} µs store, {run['rss_mib']:.0f} MiB"
    )
