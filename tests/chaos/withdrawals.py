"""`make chaos ARGS="withdrawals"`: people leave while worker, API and store are killed, and a late sender asks to send.

A run counts only when each of the three was killed with work in hand: the worker as in any chaos, the API and the store
while a withdrawal or a claim was on its way. After an acknowledgement no claim may be a go and no suggestion personal.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from redis.asyncio import Redis

from outreach.redis_records import RedisRecords
from tests.chaos.caller import Caller
from tests.chaos.commits import AFTER, BEFORE, Point
from tests.chaos.desk import Desk, desk_of
from tests.chaos.leavers import Leaver, leavers, settled_in
from tests.chaos.leaving import Crowd, Judged, judged
from tests.chaos.load import Load
from tests.chaos.plan import Step
from tests.chaos.run import pace
from tests.chaos.sender import Sender
from tests.chaos.site import EMBEDDED, HISTORY, Site, site_in
from tests.chaos.storm import Storm
from tests.chaos.strikes import strike

Victim = Literal["worker", "api", "store"]
VICTIMS: Final[tuple[Victim, ...]] = ("worker", "api", "store")
RATE: Final = 400.0
"""Records a second that other people send meanwhile."""
_CHANCE_S: Final = 6.0
"""How long a kill waits for a withdrawal or a claim to be on its way."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one run is asked to do: so many leave within the span, so many stay."""

    seed: int
    leave: int = 50
    stay: int = 8
    span_s: float = 15.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run came to. `kills` are those that hit, by victim; `moments` says where the API's and store's fell."""

    order: Order
    seconds: float
    kills: dict[str, int]
    moments: dict[str, int]
    judged: Judged

    @property
    def counts(self) -> bool:
        """Whether every victim was hit, and what must be seen for the comparison to mean anything was seen."""
        found = self.judged
        shown = found.go_who_stayed and found.personal_before and found.claims_after and found.general_after
        return all(self.kills[victim] for victim in VICTIMS) and bool(shown)

    def line(self) -> str:
        """One line for people."""
        found = self.judged
        return (
            f"seed {self.order.seed}: {'counted' if self.counts else 'not counted'}, {self.seconds:.0f} s; kills "
            f"{self.kills} {self.moments}; {found.withdrawals} withdrawals ({found.retried} asked again), "
            f"{found.claims_after} claims after the acknowledgement {dict(found.reasons)}, "
            f"{found.general_after} answers general; go: {found.go_before} before, {found.go_meanwhile} meanwhile, "
            f"{found.go_who_stayed} who stayed; late: {len(found.late)}"
        )


def run(order: Order, *, folder: Path) -> Outcome:
    """One run in a folder of its own."""
    began = time.monotonic()
    people = leavers(seed=order.seed, count=order.leave, stay=order.stay, span_s=order.span_s)
    with site_in(folder, broker=EMBEDDED) as site:
        storm, sender = _begun(site, seed=order.seed)
        settled_in(site.installation, people)
        desk = desk_of(site)
        try:
            sender.start()
            crowd = Crowd(people, calling=partial(Caller.at, desk.url, desk.keys), seed=order.seed)
            kills, moments = _Kills(storm, desk, crowd).carry_out()
        finally:
            desk.kill()
        sender.end()
        claimed_at = asyncio.run(_claimed(site, people))
    return Outcome(
        order=order,
        seconds=round(time.monotonic() - began, 1),
        kills={victim: kills[victim] for victim in VICTIMS},
        moments=dict(moments),
        judged=judged(crowd.seen, claimed_at),
    )


def _begun(site: Site, *, seed: int) -> tuple[Storm, Sender]:
    """A site with workers and history; facts flow once the sender is started."""
    sender = Sender(site.installation.settings, Load(seed=seed), wants_more=pace(site, rate=RATE))
    storm = Storm(site, sender, chance=random.Random(f"withdrawals {seed}"), tell=lambda _: None)
    # One alone: while it is away nothing is folded, and only the holds stand between a no and a message.
    site.hire("worker-1")
    site.hire("archiver", app=HISTORY)
    return storm, sender


async def _claimed(site: Site, people: Sequence[Leaver]) -> dict[str, int]:
    """Message -> when the store says it was claimed with a go."""
    async with Redis.from_url(site.installation.settings.redis) as client:
        records = RedisRecords(client, partitions=site.installation.settings.partitions)
        found = [await records.find(person.message["id"]) for person in people]
    return {each.id: each.claim.at for each in found if each is not None and each.claim is not None and each.claim.go}


@dataclass(eq=False)
class _Kills:
    """Kills one after the other, in a random order, until the crowd is through."""

    storm: Storm
    desk: Desk
    crowd: Crowd

    def carry_out(self) -> tuple[Counter[str], Counter[str]]:
        """How many kills hit, by victim, and at which moments."""
        hit: Counter[str] = Counter()
        moments: Counter[str] = Counter()
        self.crowd.start()
        self.storm.wait(self.crowd.begun.is_set, within_s=60, what="the crowd")
        while self.crowd.is_alive():
            for victim in self.storm.chance.sample(VICTIMS, len(VICTIMS)):
                self.storm.pass_time(self.storm.chance.uniform(0.2, 1.0))
                moment = self._kill(victim) if self.crowd.is_alive() else None
                if moment is not None:
                    hit[victim] += 1
                    moments[f"{victim} {moment}"] += 1
        assert self.crowd.broken is None, f"the crowd ended with {self.crowd.broken!r}"
        return hit, moments

    def _kill(self, victim: Victim) -> str | None:
        """At which moment it hit; None where it met nothing."""
        match victim:
            case "worker":
                hit = strike(self.storm, Step(self.storm.chance.choice(_WORKER_KILLS)))
                return hit.note or "at any moment" if hit.is_counted else None
            case "api":
                return self._kill_api(self.storm.chance.choice((None, BEFORE, AFTER)))
            case "store":
                caught = self._meets_somebody()
                strike(self.storm, Step("kill store"))
                return "with requests under way" if caught else None

    def _kill_api(self, point: Point | None) -> str | None:
        if point is None:
            caught = self._meets_somebody()
        else:
            self.desk.tap.arm(point)
            caught = self._happens(self.desk.tap.caught.is_set)
            self.desk.tap.disarm()
        self.desk.kill()
        self.desk.start()
        return (point or "with requests under way") if caught else None

    def _meets_somebody(self) -> bool:
        """Wait for a withdrawal or a claim to be on its way."""
        return self._happens(lambda: self.crowd.caller.open("withdrawal", "claim") > 0)

    def _happens(self, condition: Callable[[], bool]) -> bool:
        """Looked at all the time: what is waited for lasts some milliseconds."""
        end, pause = time.monotonic() + _CHANCE_S, threading.Event()
        while not (found := condition()) and time.monotonic() < end and self.crowd.is_alive():
            pause.wait(0.0005)
        return found


_WORKER_KILLS: Final = ("kill worker", "kill worker before a commit", "kill worker after a commit")


def main(argv: Sequence[str]) -> int:
    """0 when nothing came late and every run that was wanted counted; 1 otherwise."""
    given = _parser().parse_args(argv)
    counted: list[Outcome] = []
    others: list[Outcome] = []
    seed = given.seed
    while len(counted) < given.runs and len(others) <= given.runs:
        order = Order(seed=seed, leave=given.leave, span_s=given.span)
        outcome = _run_in_a_folder(order, keep=given.keep)
        (counted if outcome.counts else others).append(outcome)
        sys.stdout.write(outcome.line() + "\n")
        sys.stdout.flush()
        seed += 1
    late = [name for outcome in (*counted, *others) for name in outcome.judged.late]
    sys.stdout.write("\n".join([_summary(counted), *late]) + "\n")
    if given.report:
        given.report.write_text(json.dumps([asdict(each) for each in (*counted, *others)], indent=1) + "\n")
    return 0 if not late and len(counted) == given.runs else 1


def _run_in_a_folder(order: Order, *, keep: bool) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="withdrawals-"))
    try:
        return run(order, folder=folder)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _summary(counted: Sequence[Outcome]) -> str:
    total: Counter[str] = Counter()
    for outcome in counted:
        found: dict[str, Any] = asdict(outcome.judged)
        total.update({name: value for name, value in found.items() if isinstance(value, int)})
        total.update({f"kills of {victim}": number for victim, number in outcome.kills.items()})
        total["late"] += len(outcome.judged.late)
    return f"{len(counted)} counted runs: {dict(total)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=withdrawals", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="runs that count (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each other one more")
    parser.add_argument("--leave", type=int, default=50, help="withdrawals of a run (default: %(default)s)")
    parser.add_argument("--span", type=float, default=15.0, help="seconds they are spread over (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the folder with logs and store behind")
    parser.add_argument("--report", type=Path, help="write what was seen there as JSON")
    return parser
