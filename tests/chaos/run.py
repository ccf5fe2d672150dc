"""One run: a site, a load, a plan carried out, and the comparison at the end."""

import asyncio
import json
import os
import platform
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import redis

from tests.chaos.commits import Partition
from tests.chaos.hits import Hit, table
from tests.chaos.load import Load
from tests.chaos.plan import OTHERS, Fault, Step, plan
from tests.chaos.sampling import Growth, Sampler, growths
from tests.chaos.sender import Sender
from tests.chaos.site import APACHE, HISTORY, Site, site_in
from tests.chaos.storm import Storm
from tests.chaos.strikes import strike
from tests.chaos.verdict import Verdict, judge

BACKLOG: Final = 3_000
"""Records the sender keeps waiting on the intakes."""
SOAK_WAVES: Final = 8
"""Waves of new people before a soak begins to tell them again: facets held in memory are no leak."""
MB_PER_MIN_MAX: Final = 1.0
FILES_PER_MIN_MAX: Final = 0.2
"""What a spared process may grow by in the second half of a soak. Some people are new, and their facets are held."""
SPARED: Final = "worker-1"
"""The worker a soak never hits: its memory is looked at."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is asked to do. A soak has `minutes`, and a kill every `kill_every_s`; any other run has `kills`."""

    seed: int
    broker: str
    kills: int = 10
    workers: int = 2
    events: int = 0
    every: int = 3
    others: Sequence[Fault] = OTHERS
    minutes: float = 0.0
    kill_every_s: float = 60.0
    rate: float = 0.0


@dataclass(kw_only=True)
class Report:
    """What a run did and found."""

    order: Order
    hits: list[Hit]
    ended: list[str]
    verdict: Verdict
    seconds: float
    told: dict[str, int]
    cold_starts: dict[str, float]
    growths: list[Growth] = field(default_factory=list)

    @property
    def counted(self) -> int:
        """Kills that count."""
        return sum(hit.is_counted for hit in self.hits)

    @property
    def is_flat(self) -> bool:
        """Nobody who lived through it grew steadily."""
        return all(
            growth.mb_per_min <= MB_PER_MIN_MAX and growth.files_per_min <= FILES_PER_MIN_MAX for growth in self.growths
        )

    def back(self) -> dict[str, float]:
        """Seconds until a killed worker had work committed again: the least, the middle, the most."""
        known = sorted(hit.back_s for hit in self.hits if hit.is_kill and hit.back_s is not None)
        return {"least": known[0], "median": known[len(known) // 2], "most": known[-1]} if known else {}

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        hits = [asdict(hit) | {"counted": hit.is_counted} for hit in self.hits]
        return {
            "order": asdict(self.order),
            "machine": f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "seconds": round(self.seconds, 1),
            "counted kills": self.counted,
            "exact": self.verdict.is_exact,
            "flat": self.is_flat,
            "told": self.told,
            "verdict": self.verdict.plain(),
            "cold starts": self.cold_starts,
            "back at work": self.back(),
            "ended by themselves": self.ended,
            "growth": [growth._asdict() for growth in self.growths],
            "hits": hits,
        }

    def text(self) -> str:
        """For people."""
        lines = [table(self.hits), "", f"{self.counted} counted kills in {self.seconds:.0f} s; told: {self.told}"]
        lines.append(f"seconds from a start to the first commit: {self.cold_starts}; from a kill to one: {self.back()}")
        lines += [f"compared: {self.verdict.compared}", *self.ended, *map(str, self.growths)]
        found = dict(self.verdict.differences) or "none: nothing lost, nothing double"
        return "\n".join([*lines, f"differences: {found}", *(f"  {k}: {v}" for k, v in self.verdict.named.items())])


def run(order: Order, *, folder: Path, tell: Callable[[str], None] = print) -> Report:
    """Carry the order out in a folder of its own."""
    began = time.monotonic()
    load = Load(seed=order.seed, waves=SOAK_WAVES if order.minutes else None)
    with site_in(folder, broker=order.broker) as site:
        sender = Sender(site.installation.settings, load, wants_more=pace(site, rate=order.rate))
        storm = Storm(
            site,
            sender,
            chance=random.Random(f"storm {order.seed}"),
            spared=[SPARED] if order.minutes else [],
            tell=tell,
        )
        sender.start()
        for number in range(order.workers):
            site.hire(f"worker-{number + 1}")
        site.hire("archiver", app=HISTORY)
        with Sampler(lambda: {name: worker.process.pid for name, worker in site.workers.items()}) as sampler:
            _carry_out(storm, order)
            storm.settle()
        verdict = asyncio.run(judge(site.installation, load.ledger))
    ledger = load.ledger
    told = {"events": ledger.events, "repeats": ledger.repeats, "poison": len(ledger.poison)}
    return Report(
        order=order,
        hits=storm.hits,
        ended=storm.ended,
        verdict=verdict,
        seconds=time.monotonic() - began,
        cold_starts=storm.cold_starts,
        told=told | {"conflicts": ledger.conflicts, "batches sent again": sender.failures},
        growths=growths(sampler.samples, lived_s=order.minutes * 45) if order.minutes else [],
    )


def write(report: Report, to: Path) -> None:
    """The report as JSON."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(report.plain(), indent=1) + "\n")


def _carry_out(storm: Storm, order: Order) -> None:
    if order.minutes:
        _soak(storm, order)
        return
    without = () if order.broker == APACHE else ("kill broker",)
    others = [fault for fault in order.others if fault not in without]
    steps = plan(seed=order.seed, every=order.every, others=others)
    while storm.counted < order.kills or sum(storm.sender.acked.values()) < order.events:
        strike(storm, next(steps))
    storm.pass_time(1.0)


def _soak(storm: Storm, order: Order) -> None:
    """A kill each so many seconds, of whoever is not spared, until the time is over."""
    number = 0
    while storm.now() < order.minutes * 60:
        storm.pass_time(max(0.0, order.kill_every_s * (number + 1) - storm.now()))
        strike(storm, Step("kill worker"))
        number += 1


def pace(site: Site, *, rate: float = 0.0, backlog: int = BACKLOG) -> Callable[[Counter[Partition]], bool]:
    """Whether the sender is to go on: while too little waits, and no faster than the rate (records/s), if any."""
    began = time.monotonic()

    def wants_more(acked: Counter[Partition]) -> bool:
        sent = acked.total()
        if rate and sent > rate * (time.monotonic() - began):
            return False
        try:
            stood = site.checkpoints()
        except (OSError, redis.RedisError):
            return False
        admitted = sum(min(stood.get(place, 0), count) for place, count in acked.items())
        return sent - admitted < backlog

    return wants_more
