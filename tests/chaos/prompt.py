"""`make chaos ARGS=prompt`: how soon after a withdrawal suggestions are general, under load, with a worker and without.

Apps ask for suggestions all the time while people withdraw at a desk; others go on asking, and facts go on coming.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from benchmarks.http_load import percentile
from benchmarks.servers import load_average
from tests.chaos.caller import Answer, Caller, pass_until
from tests.chaos.desk import desk_of
from tests.chaos.leavers import PERSONAL, Leaver, leavers, settled_in
from tests.chaos.leaving import refs_of, suggested
from tests.chaos.load import Load
from tests.chaos.run import pace
from tests.chaos.sender import Sender
from tests.chaos.site import EMBEDDED, Site, Worker, site_in
from tests.waiting import until

RATE: Final = 400.0
"""Records a second that other people send meanwhile."""
AT_ONCE: Final = 4
"""People who leave at the same time, and as many who go on asking."""
PAUSE_S: Final = 0.02
"""Between an answer and the next request of the same app."""
AFTERWARDS: Final = 5
"""Answers looked at after the acknowledgement."""
WITHIN_S: Final = 1.0

States: Final[Mapping[str, Callable[[Site, Worker], None]]] = {
    "the worker runs": lambda _site, _worker: None,
    "the worker is stopped (SIGSTOP)": lambda _site, worker: worker.send(signal.SIGSTOP),
    "the worker is gone (SIGKILL)": lambda _site, worker: worker.process.kill(),
}


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One withdrawal among requests for suggestions."""

    said: Answer
    suggested: Sequence[Answer]

    @property
    def from_acknowledgement(self) -> float:
        """Seconds until the first answer that was asked for after it had come."""
        return min(each.answered for each in self.suggested if each.sent > self.said.answered) - self.said.answered

    @property
    def from_request(self) -> float:
        """Seconds until the first general answer after the request had left."""
        return min(each.answered for each in self.suggested if _is_general(each)) - self.said.sent

    @property
    def personal_after(self) -> int:
        """Answers that were asked for after the acknowledgement and are personal: there must be none."""
        return sum(not _is_general(each) for each in self.suggested if each.sent > self.said.answered)

    @property
    def was_personal(self) -> bool:
        """Whether there was something to end."""
        return not _is_general(self.suggested[0])


@dataclass(slots=True)
class Found:
    """What was seen in one state of the worker."""

    state: str
    withdrawals: list[Withdrawal] = field(default_factory=list)
    others: int = 0
    seconds: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether all were personal before, none after, and 99 in 100 were general in time."""
        seen = self.withdrawals
        late = percentile([each.from_request for each in seen], 0.99) > WITHIN_S
        return not late and all(each.was_personal and not each.personal_after for each in seen)

    def plain(self) -> dict[str, object]:
        """For JSON and for people; milliseconds."""
        times = {"from acknowledgement": [each.from_acknowledgement for each in self.withdrawals]}
        times["from request"] = [each.from_request for each in self.withdrawals]
        return {
            "state": self.state,
            "withdrawals": len(self.withdrawals),
            "personal before": sum(each.was_personal for each in self.withdrawals),
            "personal after": sum(each.personal_after for each in self.withdrawals),
            "other suggestions a second": round(self.others / self.seconds, 1),
            "load average": load_average(),
            **{f"ms {name}": _spread(values) for name, values in times.items()},
        }


def _spread(values: list[float]) -> dict[str, float]:
    shares = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}
    return {name: round(value * 1000, 1) for name, value in shares.items()}


def _is_general(answer: Answer) -> bool:
    return bool(answer.body["mode"] == "general")


def measure(*, seed: int, withdrawals: int, folder: Path) -> list[Found]:
    """Each state with people of its own, on one site."""
    found = []
    with site_in(folder, broker=EMBEDDED) as site:
        worker = site.hire("worker-1")
        groups = {state: _people(seed + number, withdrawals) for number, state in enumerate(States)}
        settled_in(site.installation, [person for people in groups.values() for person in people])
        desk = desk_of(site)
        sender = Sender(site.installation.settings, Load(seed=seed), wants_more=pace(site, rate=RATE))
        sender.start()
        try:
            for state, people in groups.items():
                until(lambda: sender.acked.total() > 0, what="facts that flow")
                States[state](site, worker)
                found.append(asyncio.run(_seen(state, people, calling=partial(Caller.at, desk.url, desk.keys))))
                site.start(worker)
                until(lambda: worker.tap.applied.total() > 0, within_s=120, what="a worker that folds")
            sender.end()
        finally:
            desk.kill()
    return found


def _people(seed: int, count: int) -> list[Leaver]:
    people = leavers(seed=seed, count=4 * count, stay=AT_ONCE, span_s=0.0)
    return [each for each in people if each.purpose in PERSONAL][:count] + people[-AT_ONCE:]


async def _seen(state: str, people: Sequence[Leaver], *, calling: Callable[[], Caller]) -> Found:
    caller, found, began = calling(), Found(state), time.monotonic()
    leaving = iter([person for person in people if person.purpose is not None])

    async def leave() -> None:
        for person in leaving:
            found.withdrawals.append(await _withdrawal(caller, person))

    async def ask(person: Leaver) -> None:
        [ref, *_] = await refs_of(caller, person)
        while True:
            await suggested(caller, ref)
            found.others += 1
            await pass_until(time.monotonic() + PAUSE_S)

    others = [asyncio.create_task(ask(person)) for person in people if person.purpose is None]
    await asyncio.gather(*(leave() for _ in range(AT_ONCE)))
    found.seconds = time.monotonic() - began
    for task in others:
        task.cancel()
    for task in others:
        with suppress(asyncio.CancelledError):
            await task
    await caller.http.aclose()
    return found


async def _withdrawal(caller: Caller, person: Leaver) -> Withdrawal:
    """The person's app asks all the time; in the midst of it they take their consent back at the desk."""
    refs = await refs_of(caller, person)
    answers = [await suggested(caller, refs[0])]
    body = {"act": "withdrawn", "purpose": person.purpose}
    said = asyncio.create_task(caller.ask("withdrawal", "POST", f"/v1/customers/{refs[-1]}/consents", body=body))
    after = 0
    while after < AFTERWARDS:
        answers.append(await suggested(caller, refs[0]))
        after += said.done() and answers[-1].sent > said.result().answer.answered
        await pass_until(time.monotonic() + PAUSE_S)
    assert said.result().answer.status == httpx.codes.ACCEPTED, said.result()
    return Withdrawal(said.result().answer, answers)


def main(argv: Sequence[str]) -> int:
    """0 when no answer was personal after an acknowledgement, and 99 in 100 withdrawals took effect within a second."""
    parser = argparse.ArgumentParser(prog="make chaos ARGS=prompt", description=__doc__)
    parser.add_argument("--withdrawals", type=int, default=200, help="in each state (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="write what was seen there as JSON")
    given = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="prompt-"))
    try:
        found = measure(seed=given.seed, withdrawals=given.withdrawals, folder=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    said = json.dumps([each.plain() for each in found], indent=1) + "\n"
    sys.stdout.write(said)
    if given.report:
        given.report.write_text(said)
    return 0 if all(each.is_well for each in found) else 1
