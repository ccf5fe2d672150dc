"""`python -m benchmarks memory`: what a person takes in the store, by the growth of its `used_memory`.

`full` is a person of two linked identities with three orders, a case, a survey and five consents; `small` one identity
with an order and a consent. Every id, time and event key differs between people, as it does in life.
"""

import argparse
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.redis_people import Stored, put, taken
from benchmarks.workload import RECEIVED_MS, Workload, messages
from consent.purposes import FEEDBACK, PROFILE, SUGGEST, TRAIN
from events.fact import Fact
from events.history import ArchivedRow, History
from events.keys import facet_key
from events.partitioning import partition_of
from events.pseudonyms import Pseudonyms
from events.shape import FROM_LOG
from events.vocabulary import BODIES
from profiles.codec import encode_facet
from profiles.facet import Facet
from profiles.fold import fold
from streams.archive_work import SEGMENT_RECORDS
from tests.servers import embedded_store

PARTITIONS: Final = 32
BARS: Final = {"full": 1200, "small": 400}
"""Bytes a person may take."""
_CONSENTS: Final = (PROFILE, SUGGEST, TRAIN, FEEDBACK, "outreach.email")
_DAY: Final = 24 * 3600 * 1000
_NOW: Final = 1_790_000_000_000
_CATEGORIES: Final = ("coffee", "books", "garden", "tools", "toys", "shoes", "audio", "kitchen", "travel", "baby")
_PEOPLE_AT_ONCE: Final = 1000

_PSEUDONYMS: Final = Pseudonyms(b"a key for benchmarks")


def small(number: int) -> list[Stored]:
    """One identity with an order and a consent."""
    rng = random.Random(f"small {number}")
    return [_stored(f"app:{number}", [_consent(rng, PROFILE), _order(rng)])]


def full(number: int) -> list[Stored]:
    """Two linked identities; the second gave consent on its own channel and opened the case."""
    rng = random.Random(f"full {number}")
    app, phone = f"app:{number}", f"phone:+4930{number:08}"
    half = {"strength": "verified", "reason": "login"}
    here = [_fact(rng, "identity.linked", other=_PSEUDONYMS.of(phone), **half)]
    there = [_fact(rng, "identity.linked", other=_PSEUDONYMS.of(app), **half)]
    here += [_consent(rng, purpose) for purpose in _CONSENTS]
    here += [_order(rng) for _ in range(3)]
    here.append(_fact(rng, "feedback.survey_answered", survey_id=_id(rng, "s"), kind="nps", score=rng.randrange(11)))
    there.append(_fact(rng, "service.case_opened", case_id=_id(rng, "case"), topics=[rng.choice(["fees", "delivery"])]))
    return [_stored(app, here), _stored(phone, there)]


def _stored(identity: str, facts: Sequence[Fact]) -> Stored:
    facet = Facet()
    for fact in sorted(facts, key=lambda fact: fact.received_at):
        facet, fate = fold(facet, fact)
        assert fate == "applied", fate
    name = _PSEUDONYMS.of(identity)
    return facet_key(partition_of(name.encode(), PARTITIONS), name), encode_facet(facet)


def _order(rng: random.Random) -> Fact:
    amount = rng.randrange(100, 90_000)
    line = {"item": f"item-{rng.randrange(5000)}", "category": rng.choice(_CATEGORIES), "amount": amount}
    total = {"amount": amount, "currency": "EUR"}
    return _fact(rng, "transaction.purchased", order_id=_id(rng, "order"), total=total, lines=[line], channel="app")


def _consent(rng: random.Random, purpose: str) -> Fact:
    return _fact(rng, "consent.given", purpose=purpose)


def _id(rng: random.Random, kind: str) -> str:
    return f"{kind}-{rng.getrandbits(32):08x}"


def _fact(rng: random.Random, event_type: str, **said: Any) -> Fact:
    at = _NOW - rng.randrange(700 * _DAY)
    return Fact(
        type=event_type,
        event_key=rng.randbytes(8),
        digest=rng.randbytes(4),
        identity="",
        occurred_at=at,
        received_at=at + rng.randrange(2000),
        source="shop",
        body=BODIES[event_type].model_validate(said, context=FROM_LOG),
    )


KINDS: Final[dict[str, Callable[[int], list[Stored]]]] = {"full": full, "small": small}


def _made(kind: str, numbers: range) -> list[Stored]:
    return [stored for number in numbers for stored in KINDS[kind](number)]


def grown(kind: str, *, people: int) -> dict[str, float]:
    """Bytes of `used_memory` a person adds to an empty store; bytes of values alone; growth of the append-only file."""
    chunks = [range(start, min(start + _PEOPLE_AT_ONCE, people)) for start in range(0, people, _PEOPLE_AT_ONCE)]
    with tempfile.TemporaryDirectory() as folder, embedded_store(Path(folder)) as store:
        before = taken(store.url)
        values = put(store.url, chain.from_iterable(_in_parallel(partial(_made, kind), chunks)))
        after = taken(store.url)
    return {name: (after[name] - before[name]) / people for name in after} | {"values": values / people}


def _in_parallel(make: Callable[[range], list[Stored]], chunks: Sequence[range]) -> Iterator[list[Stored]]:
    if len(chunks) == 1:
        yield make(chunks[0])
        return
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(chunks), 16):  # bounded: what is made waits in memory
            yield from pool.map(make, chunks[start : start + 16])


def kept(*, facts: int) -> dict[str, float]:
    """Bytes per fact on the log (key and value) and in history, over the workload of the pipeline."""
    log = list(messages(Workload(events=facts, people=max(1, facts // 15), partitions=1)))
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        for start in range(0, facts, SEGMENT_RECORDS):
            rows = [
                ArchivedRow(offset, RECEIVED_MS + offset, message.key, message.fact)
                for offset, message in enumerate(log[start : start + SEGMENT_RECORDS], start=start)
            ]
            history.append(1, 0, start, min(start + SEGMENT_RECORDS, facts), rows)
        archived = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
    return {"log": sum(len(each.key) + len(each.fact) for each in log) / facts, "history": archived / facts}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, and answer the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks memory", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--facts", type=int, default=100_000)
    given = parser.parse_args(argv)
    people, facts = given.people, given.facts
    found = {kind: grown(kind, people=people) for kind in KINDS}
    table = Table(
        "a person", "used_memory", "bar", "values alone", "append-only file", title=f"{people:,} people, bytes"
    )
    for kind, bytes_each in found.items():
        table.add_row(
            kind,
            f"{bytes_each['used_memory']:.0f}",
            f"≤ {BARS[kind]}",
            f"{bytes_each['values']:.0f}",
            f"{bytes_each['append_only_file']:.0f}",
        )
    Console().print(table)
    stored = kept(facts=facts)
    told = Table("a fact", "bytes", title=f"{facts:,} facts")
    for where, size in stored.items():
        told.add_row(where, f"{size:.0f}")
    Console().print(told)
    return {"people": people, "bytes": found, "facts": facts, "bytes_per_fact": stored}


if __name__ == "__main__":
    main()
