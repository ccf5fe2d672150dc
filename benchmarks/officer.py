"""`python -m benchmarks officer`: what the officer's questions take over an index of a million consent acts.

One person in four has two identities, verified as one; everybody answered about four purposes, some twice. People and
days are drawn by a seed. What is timed is what a route does between request and answer, all but the network.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from itertools import batched, cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from api.officer_routes import OfficerRoutes
from api.refs import Refs
from benchmarks.options import ResultsOption
from benchmarks.results import RESULTS, Results, keep, machine
from benchmarks.stopwatch import Stopwatch
from benchmarks.tables import machine_line
from consent.answer_figures import last_answers, report_of
from consent.evidence_index import EvidenceIndex
from consent.purposes import FEEDBACK, PROFILE, SUGGEST, TRAIN
from consent.rules import shipped_rules
from events.acts import ConsentAct, ConsentGiven, ConsentRefused, ConsentWithdrawn
from events.fact import Fact
from events.following import Stretch
from events.identity import Linked
from events.partitioning import partition_of
from events.position import Position
from events.pseudonyms import Pseudonyms
from events.shape import Body

PARTITIONS: Final = 32
BAR_MS: Final = 50.0
NOW: Final = 1_790_000_000_000
DAY: Final = 24 * 3600 * 1000
_PSEUDONYMS: Final = Pseudonyms(b"a key for benchmarks")
_PURPOSES: Final = (PROFILE, SUGGEST, TRAIN, FEEDBACK)
_CHANNELS: Final = ("web", "app", "desk", "phone")
_PEOPLE_AT_ONCE: Final = 20_000


def main(
    *,
    acts: Annotated[int, typer.Option(help="consent acts in the index")] = 1_000_000,
    asked: Annotated[int, typer.Option(help="questions of each kind about a person")] = 2_000,
    results: ResultsOption = RESULTS,
) -> None:
    """Build the index, ask, and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        index = EvidenceIndex(Path(folder) / "evidence.sqlite")
        people, built = _built(index, acts)
        index.close()
        runs = [built | {"mib": sum(each.stat().st_size for each in Path(folder).iterdir()) / 2**20}]
        runs += _asked(index, people, asked)
    found = Results(experiment="officer", settings={"acts": acts, "asked": asked}, machine=machine(), runs=runs)
    keep(found, results / "officer.json")
    _show(found)


def _built(index: EvidenceIndex, acts: int) -> tuple[int, dict[str, Any]]:
    """Fill the index; how many people there are, and what it took, without the making of the facts."""
    ends, people, taken, cpu_s, wall_s = [0] * PARTITIONS, 0, 0, 0.0, 0.0
    for numbers in batched(range(acts), _PEOPLE_AT_ONCE):
        by_partition: dict[int, list[tuple[Position, Fact]]] = {}
        for number in numbers:
            people += 1
            for fact in _person(number):
                partition = partition_of(fact.identity.encode(), PARTITIONS)
                found = by_partition.setdefault(partition, [])
                found.append((Position(1, partition, ends[partition] + len(found)), fact))
                taken += isinstance(fact.body, ConsentAct)
            if taken >= acts:
                break
        watch = Stopwatch()
        for partition, facts in by_partition.items():
            start, ends[partition] = ends[partition], ends[partition] + len(facts)
            index.take(Stretch(epoch=1, partition=partition, start=start, end=ends[partition], facts=facts))
        wall, cpu = watch.read()
        wall_s, cpu_s = wall_s + wall, cpu_s + cpu
        if taken >= acts:
            break
    return people, {"what": "taking the acts in", "acts": taken, "people": people, "cpu_s": cpu_s, "wall_s": wall_s}


def _person(number: int) -> Iterator[Fact]:
    rng = random.Random(number)
    identities = [_PSEUDONYMS.of(f"app:{number}")]
    began = NOW - rng.randrange(1, 1000) * DAY
    if number % 4 == 0:
        identities.append(_PSEUDONYMS.of(f"card:{number}"))
        key = rng.randbytes(8)
        for here, there in (identities, reversed(identities)):
            yield _fact(rng, here, Linked(other=there, strength="verified", reason="login"), at=began, key=key)
    for purpose in _PURPOSES:
        channel, notice = rng.choice(_CHANNELS), f"n-{rng.randrange(3)}"
        said = ConsentGiven if rng.random() < 0.8 else ConsentRefused
        first = said(purpose=purpose, channel=channel, notice=notice, act_id=f"act-{number}")
        yield from _act(rng, identities, first, at=began)
        if rng.random() < 0.3:
            second = ConsentWithdrawn(purpose=purpose, channel=channel, act_id=f"act-{number}-2")
            yield from _act(rng, identities, second, at=began + rng.randrange(1, 500) * DAY)


def _act(rng: random.Random, identities: list[str], act: ConsentAct, *, at: int) -> Iterator[Fact]:
    key = rng.randbytes(8)
    for identity in identities:
        yield _fact(rng, identity, act, at=at, key=key)


def _fact(rng: random.Random, identity: str, body: Body, *, at: int, key: bytes) -> Fact:
    return Fact(
        type=body.event_type,
        event_key=key,
        digest=rng.randbytes(4),
        identity=identity,
        occurred_at=min(at, NOW),
        received_at=min(at + rng.randrange(0, 3) * DAY, NOW),
        source="benchmarks",
        body=body,
    )


def _asked(index: EvidenceIndex, people: int, times: int) -> list[dict[str, Any]]:
    services: Any = SimpleNamespace(
        evidence=index,
        refs=Refs(bytes(32)),
        clock=lambda: NOW,
        admission=SimpleNamespace(partitions=PARTITIONS),
        persons=SimpleNamespace(rules=shipped_rules()),
    )
    routes, rng = OfficerRoutes(services), random.Random(7)

    def who() -> str:
        return _PSEUDONYMS.of(f"app:{rng.randrange(people)}")

    def permitted() -> None:
        routes.permitted_at(who(), at=NOW - rng.randrange(900) * DAY, known_at=NOW).model_dump_json()

    def history() -> None:
        routes.history_of(who(), now=NOW).model_dump_json()

    def rates() -> None:
        report_of(last_answers(index, before=NOW), before=NOW)

    starts = cycle(chr(ord("a") + n) for n in range(20))

    def renewals() -> None:
        routes.renewals_from(f"app:{next(starts)}", PROFILE, soon_days=30, old_days=730, limit=100).model_dump_json()

    return [
        _timed("permitted at T, both senses", permitted, times),
        _timed("history of a person", history, times),
        _timed("a page of renewals (100 identities)", renewals, 20),
        _timed("rates of everybody", rates, 3),
    ]


def _timed(what: str, ask: Callable[[], None], times: int) -> dict[str, Any]:
    walls, cpus = [], []
    for _ in range(times):
        watch = Stopwatch()
        ask()
        wall_s, cpu_s = watch.read()
        walls.append(wall_s * 1000)
        cpus.append(cpu_s * 1000)
    told: dict[str, Any] = {"what": what, "times": times}
    for name, found in (("wall", sorted(walls)), ("cpu", sorted(cpus))):
        told |= {
            f"{name}_p50_ms": found[times // 2],
            f"{name}_p99_ms": found[int(times * 0.99)],
            f"{name}_most_ms": found[-1],
        }
    return told


def _show(results: Results) -> None:
    console = Console(width=140)
    built, *questions = results.runs
    table = Table("question", "asked", "p50 ms", "p99 ms", "greatest ms", "CPU p99 ms")
    for run in questions:
        figures = [f"{run[name]:,.2f}" for name in ("wall_p50_ms", "wall_p99_ms", "wall_most_ms", "cpu_p99_ms")]
        table.add_row(run["what"], str(run["times"]), *figures)
    console.print(table)
    per_act = built["cpu_s"] / built["acts"] * 1e6
    console.print(
        f"{built['acts']:,} acts of {built['people']:,} people taken in {built['wall_s']:.0f} s"
        f" ({per_act:.0f} µs of CPU an act), {built['mib']:.0f} MiB"
    )
    met = questions[0]["wall_p99_ms"] <= BAR_MS
    console.print(f"permitted at T: p99 at most {BAR_MS:g} ms {'met' if met else 'missed'}")
    console.print(machine_line(results))
