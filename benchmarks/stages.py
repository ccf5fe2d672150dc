"""Where the time of one event goes: `python -m benchmarks stages`, CPU time of each stage from fetch to commit.

The product's own functions in the order the worker calls them, one batch at a time, without Faust around them. CPU time
of this process, so that waiting counts nothing; the store's own is told beside it. Each round begins with an empty
store.
"""

import asyncio
import gc
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import psutil
import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from benchmarks.contenders.redis_fold import Arrived
from benchmarks.preload import produce
from benchmarks.results import machine, spread
from benchmarks.servers import EMBEDDED, Fsync, bench_folder, kafka_at, store_in
from benchmarks.workload import Message, Workload, messages
from consent.retention import kind_of
from events.body_keys import KeyMaker
from events.fact import decode_fact
from events.position import Checkpoint, Position, Stream
from events.sealing import Envelope, Opens, Sealing
from events.sqlite_body_keys import SqliteBodyKeys
from outreach.candidates import candidates
from outreach.triggers import Triggers, load_triggers
from profiles.codec import decode_facet, encode_facet
from profiles.facet import Facet
from profiles.facet_cache import FacetCache
from profiles.fold import fold
from profiles.packed import Packed, pack, unpack
from profiles.redis_store import RedisStore
from profiles.store import Commit, Committed
from recommender.catalogue import load_catalogue
from streams.admin import ensure_topics
from streams.runs import FRAME_RECORDS, chunks

TOPIC: Final = "bench-stages.events"
PARTITIONS: Final = Workload(events=0, people=1).partitions
STAGES: Final = {
    "json.loads": "the same event as JSON read by the standard library: the measure of this machine",
    "fetch": "aiokafka's getmany, per record",
    "load": "packed facets that are held in memory; for new people the store is asked",
    "open": "a packed facet to one that facts can be folded into",
    "keys": "the headers of a batch read; where facts are sealed, their keys looked up",
    "decode": "bytes to a fact; opened, where they are sealed",
    "fold": "a fact into its facet",
    "candidates": "what outreach may follow",
    "pack": "the facet to bytes again",
    "commit": "facets compressed, one call, its answer",
    "of it: compress": "packed facets to the bytes that are stored",
    "store": "the store's own CPU in all of it",
    "a cold facet": "a facet that is not held: the store's bytes to a facet (not in the sum)",
}
"""Stage -> what is in it."""
_APART: Final = frozenset({"json.loads", "of it: compress", "store", "a cold facet"})
"""Not a part of the client's sum."""

T = TypeVar("T")


class Batch(NamedTuple):
    """Up to as many records as one commit takes, of one partition, from an offset on."""

    partition: int
    start: int
    records: Sequence[Message]


class Clock:
    """CPU seconds of this process by stage."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._last = 0.0
        # What a look at the clock costs; short stages would be made of it.
        self._cost = min(_look() for _ in range(1000))

    def lap(self, name: str | None = None) -> None:
        """Count what happened since the last lap to a stage."""
        now = time.process_time()
        if name is not None:
            self.spent[name] += now - self._last - self._cost
        self._last = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens within it to a stage."""
        begin = time.process_time()
        yield
        self.spent[name] += time.process_time() - begin

    def counted(self, name: str, work: Callable[[], T]) -> T:
        """What the work returns; its time belongs to the stage."""
        with self.stage(name):
            return work()


def _look() -> float:
    return -(time.process_time() - time.process_time())


def main(
    *,
    events: Annotated[int, typer.Option(help="records")] = 40_000,
    people: Annotated[int, typer.Option(help="people they are about")] = 4_000,
    person_max: Annotated[int, typer.Option(help="events of one person at most")] = 1000,
    rounds: Annotated[int, typer.Option(help="how often all is done")] = 5,
    fsync: Annotated[str, typer.Option(help="the store's appendfsync: always, everysec or no")] = "always",
    sealed: Annotated[bool, typer.Option(help="whether facts are sealed, with keys in a file")] = True,
    kafka: Annotated[str, typer.Option(envvar="RAPPORT_KAFKA", help="brokers; else the embedded one")] = EMBEDDED,
) -> None:
    """Measure and print the table, in microseconds per event."""
    told = [each for each in messages(Workload(events=events, people=people, person_max=person_max)) if each.happening]
    rows = asyncio.run(_rounds(told, rounds=rounds, fsync=_fsync(fsync), sealed=sealed, kafka=kafka))
    Console(width=132).print(table(rows, events=len(told)))


def _fsync(word: str) -> Fsync:
    match word:
        case "always" | "everysec" | "no":
            return word
        case _:
            raise typer.BadParameter("always, everysec or no", param_hint="--fsync")


async def _rounds(
    told: Sequence[Message], *, rounds: int, fsync: Fsync, sealed: bool, kafka: str
) -> dict[str, list[float]]:
    """Stage -> microseconds per event, one figure per round."""
    triggers = load_triggers(load_catalogue())
    figures: dict[str, list[float]] = defaultdict(list)
    with bench_folder() as folder, kafka_at(kafka, folder) as address:
        ensure_topics([address], {TOPIC: PARTITIONS}, replication=1)
        sealing = sealing_in(folder, is_on=sealed)
        told = resealed(told, sealing)
        produce(address, TOPIC, told, form="fact")
        for number in range(rounds):
            place = folder / str(number)
            place.mkdir()
            clock = Clock()
            with store_in(place, fsync=fsync) as (url, process):
                await _fetched(address, len(told), clock)
                watched = psutil.Process(process.pid)
                before = sum(watched.cpu_times()[:2])
                store = await RedisStore.connect(url)
                await _folded(batches(told), store=store, sealing=sealing_in(folder), triggers=triggers, clock=clock)
                clock.spent["store"] = sum(watched.cpu_times()[:2]) - before
                await store.close()
            clock.counted("json.loads", lambda: [json.loads(each.json) for each in told])
            for name, seconds in clock.spent.items():
                figures[name].append(seconds / len(told) * 1e6)
    return figures


def sealing_in(folder: Path, *, is_on: bool = True) -> Sealing:
    """The sealing of a process that was just started; its keys are in a file in the folder."""
    keys = SqliteBodyKeys(folder / "keys" / "bodies.sqlite")
    return Sealing(keys=keys, maker=KeyMaker(bytes(32)), kind=kind_of, is_on=is_on)


def resealed(told: Sequence[Message], sealing: Sealing) -> list[Message]:
    """The same messages, their facts as the log seals them."""
    facts = [decode_fact(message.fact) for message in told]
    return [message._replace(fact=value) for message, value in zip(told, sealing.seal(facts), strict=True)]


def batches(told: Sequence[Message]) -> list[Batch]:
    """The records as frames come: by partition, as many as one commit takes, the partitions in turn."""
    by_partition: dict[int, list[Message]] = defaultdict(list)
    for message in told:
        by_partition[message.partition].append(message)
    cut = []
    for partition, records in by_partition.items():
        numbered: Any = [Arrived(at, 0, record.key, record.fact) for at, record in enumerate(records)]
        cut += [
            Batch(partition, run[0].offset, records[run[0].offset : end])
            for run, end in chunks(numbered, end=len(records))
        ]
    return sorted(cut, key=lambda batch: (batch.start, batch.partition))


async def _fetched(kafka: str, count: int, clock: Clock) -> None:
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=kafka, enable_auto_commit=False, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        places = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        with clock.stage("fetch"):
            seen = 0
            while seen < count:
                found = await consumer.getmany(timeout_ms=1000, max_records=FRAME_RECORDS)
                seen += sum(map(len, found.values()))
    finally:
        await consumer.stop()


async def _folded(
    work: Sequence[Batch], *, store: RedisStore, sealing: Opens, triggers: Triggers, clock: Clock
) -> None:
    cache = FacetCache(store)
    checkpoints: dict[int, Checkpoint] = {}
    gc.collect()
    for batch in work:
        stream = Stream("profiles", TOPIC, batch.partition)
        with clock.stage("keys"):
            envelopes = await sealing.looked_up([message.fact for message in batch.records])
        own: dict[str, list[tuple[int, Envelope]]] = defaultdict(list)
        for offset, (message, envelope) in enumerate(zip(batch.records, envelopes, strict=True), start=batch.start):
            own[message.key.decode()].append((offset, envelope))
        with clock.stage("load"):
            facets, _ = await cache.load(stream, own)
        changed: dict[str, Packed] = {}
        clock.lap()
        for identity, told in own.items():
            facet = unpack(facets.get(identity, Facet()))
            clock.lap("open")
            for offset, envelope in told:
                fact = envelope.fact()
                clock.lap("decode")
                facet = fold(facet, fact).facet
                clock.lap("fold")
                candidates(fact, Position(1, batch.partition, offset), triggers)
                clock.lap("candidates")
            changed[identity] = pack(facet)
            clock.lap("pack")
        following = Checkpoint(1, batch.start + len(batch.records))
        with clock.stage("commit"):
            expected = checkpoints.get(batch.partition)
            answer = await store.commit(Commit(stream=stream, expected=expected, next=following, facets=changed))
            cache.put(batch.partition, changed)
        if answer != Committed():
            raise RuntimeError(f"a commit of the measurement was refused: {answer}")
        checkpoints[batch.partition] = following
        blobs = clock.counted("of it: compress", lambda kept=changed: list(map(encode_facet, kept.values())))  # type: ignore[misc]
        clock.counted("a cold facet", lambda kept=blobs: list(map(decode_facet, kept)))  # type: ignore[misc]


def table(figures: dict[str, list[float]], *, events: int) -> Table:
    """Every stage with its median, least and greatest figure, and the sum of those that follow each other."""
    told = machine()
    libraries = ", ".join(f"{name} {told['libraries'][name]}" for name in ("aiokafka", "redis", "hiredis", "msgspec"))
    drawn = Table(
        title=f"CPU µs per event of {events:,}; {told['processor']}, Python {told['python']}, {libraries}, "
        f"commit {told['commit']}, load {told['load_average']}"
    )
    for column in ("stage", "median", "least", "most", "what it is"):
        drawn.add_column(column, justify="left" if column in {"stage", "what it is"} else "right")
    for name, what in STAGES.items():
        middle = spread(figures[name])
        drawn.add_row(name, *(f"{figure:.1f}" for figure in middle), what)
    sums = [sum(one) for one in zip(*(figures[name] for name in STAGES if name not in _APART), strict=True)]
    drawn.add_row("client", *(f"{figure:.1f}" for figure in spread(sums)), "the sum from fetch to commit")
    return drawn


if __name__ == "__main__":
    typer.run(main)
