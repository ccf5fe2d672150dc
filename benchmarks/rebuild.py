"""How long facets take to be folded anew, compared and put in place, and how much memory that wants.

`python -m benchmarks.rebuild --facts 1000000`: a store of its own, history on disk, facts folded once as a worker does.
"""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from benchmarks.stopwatch import Stopwatch, peak_rss_mib
from commands.diff import Against, _compare
from commands.logs import epochs_file, remember
from commands.rebuild import _rebuild, _switch
from commands.rebuild_fold import folding
from commands.settings import Settings, settings_of
from embedded.ports import free_port
from embedded.process import running
from embedded.store import store_service, store_url
from events.epochs import Epoch, LogShape
from events.fact import encode_fact
from events.history import History
from events.partitioning import partition_of
from profiles.facet_cache import FacetCache
from profiles.redis_store import RedisStore
from streams.folding import LogIdentity, StreamFold
from streams.frame import Frame, Handled, Record
from tests.builders import case_opened, consent, fact, pseudonym, purchased

PARTITIONS = 32
FRAME = 2000
EACH = 10
"""Facts per person."""

_T = TypeVar("_T")


def records(facts: int) -> Iterator[Record]:
    """Facts of many people, in turn: mostly orders, with some consents, contacts and cases among them."""
    people = [pseudonym(f"app:{number}") for number in range(max(facts // EACH, 1))]
    for number in range(facts):
        person, turn = people[number % len(people)], number // len(people)
        match turn % EACH:
            case 0:
                made = consent("given", "profile.build", identity=person, event_id=f"e{number}")
            case 1:
                made = case_opened(f"case-{number}", identity=person)
            case 2:
                made = fact("service.contact_started", identity=person, contact_id=f"c{number}", channel="phone")
            case _:
                made = purchased(f"order-{number}", identity=person, amount=number % 10_000)
        yield Record(0, made.received_at, person.encode(), encode_fact(made))


def archive(settings: Settings, facts: int) -> list[int]:
    """Write history; where each partition ends."""
    history, ends = History(settings.history), [0] * PARTITIONS
    waiting: dict[int, list[Record]] = {at: [] for at in range(PARTITIONS)}

    def write(at: int) -> None:
        rows = waiting[at]
        if rows:
            history.append(1, at, rows[0].offset, ends[at], rows)
            waiting[at] = []

    for record in records(facts):
        at = partition_of(record.key or b"", PARTITIONS)
        waiting[at].append(Record(ends[at], record.timestamp_ms, record.key, record.value))
        ends[at] += 1
        if len(waiting[at]) >= FRAME:
            write(at)
    for at in range(PARTITIONS):
        write(at)
    return ends


async def fold(settings: Settings, ends: list[int]) -> None:
    """Fold everything once, as the worker does, and remember the log."""
    store = await RedisStore.connect(settings.redis, partitions=PARTITIONS)
    work = folding(FacetCache(store), partitions=PARTITIONS)
    topic, log = settings.events_topic, LogIdentity(epoch=1, topic_id="t")
    worker = StreamFold(app="profiles", topic=topic, log=log, store=store, work=work)
    for at, end in enumerate(ends):
        rows = [Record(*row) for row in History(settings.history).records(1, at, start=0, end=end)]
        for start in range(0, end, FRAME):
            after = min(start + FRAME, end)
            frame = Frame(topic=topic, partition=at, generation=1, start=start, end=after, records=rows[start:after])
            assert await worker(frame) == Handled()
    shape = LogShape(partitions=PARTITIONS, key_fingerprint="k")
    zeros = (0,) * PARTITIONS
    await remember(settings, store, [Epoch(epoch=1, topic_id="t", shape=shape, first=zeros, end=tuple(ends))])
    await store.close()


async def timed(what: str, doing: Awaitable[_T]) -> tuple[_T, dict[str, Any]]:
    """The answer, and what it took."""
    watch = Stopwatch()
    answer = await doing
    wall_s, cpu_s = (round(seconds, 1) for seconds in watch.read())
    return answer, {"what": what, "wall_s": wall_s, "cpu_s": cpu_s, "peak_rss_mb": round(peak_rss_mib())}


async def measure(settings: Settings, facts: int) -> list[dict[str, Any]]:
    """Every step with its time, processor time and the peak of resident memory up to its end."""
    ends = archive(settings, facts)
    _, folded = await timed("fold once", fold(settings, ends))
    rebuilt, rebuilding = await timed("rebuild", _rebuild(settings, accept_gap=False))
    (compared, found), comparing = await timed(
        "diff", _compare(settings, against=Against.REBUILT, other=None, sample=1.0)
    )
    switched, switching = await timed("switch", _switch(settings, accept_gap=False))
    (again, left), recounting = await timed(
        "diff --against history", _compare(settings, against=Against.HISTORY, other=None, sample=1.0)
    )
    assert rebuilt["folded"] == facts
    return [
        folded,
        rebuilding | {"records": rebuilt["folded"]},
        comparing | {"facets": compared, "differences": len(found)},
        switching | {"facets": switched["moved"]},
        recounting | {"facets": again, "differences": len(left)},
    ]


def main(*, facts: Annotated[int, typer.Option(help="facts in history")] = 50_000) -> None:
    """Measure a rebuild on a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        settings = settings_of(redis=store_url(port), data=Path(folder) / "data", partitions=PARTITIONS)
        epochs_file(settings).parent.mkdir(parents=True)
        store = store_service(port=port, folder=Path(folder) / "store", log=Path(folder) / "store.log")
        with running(store):
            steps = asyncio.run(measure(settings, facts))
        print(json.dumps({"facts": facts, "steps": steps}, indent=1))


if __name__ == "__main__":
    typer.run(main)
