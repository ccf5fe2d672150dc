"""One seed, one history: a story, what goes wrong in it, the healing, and what has to be true in the end."""

import asyncio
import gc
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.simulation.ending import check_ending, is_settled
from tests.simulation.network import Fault, FaultName
from tests.simulation.operator import supervise
from tests.simulation.sender import Sender
from tests.simulation.story import NIGHT_MS, Act, Story
from tests.simulation.workers import start
from tests.simulation.world import World, until

CALLS: Final = 150
"""Faults meet a call among the first so many."""
WORKERS: Final = ("worker-1", "worker-2")
STORY_S: Final = 4.5
SETTLES_WITHIN_S: Final = 90.0

_WEIGHTS: Final[dict[FaultName, int]] = {
    "lose_request": 10,
    "lose_answer": 14,
    "slow_request": 10,
    "slow_answer": 6,
    "kill_before": 10,
    "kill_after": 14,
    "pause_before": 8,
    "pause_after": 10,
    "rebalance": 10,
    "log_away": 6,
    "copy_store": 8,
    "restore_store": 5,
    "restore_after": 8,
    "lose_store": 1,
    "retain": 5,
    "remake_log": 2,
    "adopt_log": 2,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a history: what was wrong (nothing, if all is well), and the faults that were met."""

    seed: int
    wrong: tuple[str, ...]
    met: tuple[Fault, ...]
    calls: int
    facts: int


def faults_of(seed: int) -> tuple[Fault, ...]:
    """What goes wrong in the history of a seed; nothing at all in some."""
    chance = Random(f"{seed} faults")
    names, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    calls = chance.sample(range(1, CALLS), k=chance.choice((0, 1, 2, 3, 4, 6, 8, 12, 16)))
    return tuple(Fault(call, chance.choices(names, weights)[0], chance.random()) for call in sorted(calls))


def run(seed: int, *, without: Collection[int] = (), tell: Callable[[str], None] | None = None) -> Report:
    """Let the history of a seed happen. `without` leaves out the faults at these calls; `tell` is given each step."""
    faults = {fault.call: fault for fault in faults_of(seed) if fault.call not in without}
    world = World(seed=seed, faults=faults, tell=tell)
    logging.disable(logging.CRITICAL)  # every fault is logged by whoever meets it
    gc.disable()
    try:
        world.loop.run(_happen(world, seed))
    finally:
        _end(world)
        logging.disable(logging.NOTSET)
        gc.enable()
    wrong = [*world.found.wrong, *world.loop.complaints]
    facts = sum(map(len, world.model.known.values()))
    return Report(seed, tuple(dict.fromkeys(wrong)), tuple(world.network.met), world.network.calls, facts)


async def _happen(world: World, seed: int) -> None:
    for name in (*WORKERS, "archivist"):
        start(world, name)
    story = Story(world, seed=seed)
    sender = Sender(world, seed=seed, ask=story.asked)
    background = [asyncio.ensure_future(each) for each in (supervise(world), sender.run())]
    acts = [asyncio.ensure_future(_later(world, at, act)) for at, act in list(story.acts())]
    if acts:
        await asyncio.wait(acts)
    for act in acts:
        act.result()
    await world.loop.rest(max(0.0, STORY_S - world.loop.now))
    _heal(world, by_restarts=Random(f"{seed} healing").random() < 0.5)
    for night in (False, True):
        if night and not any(world.server.timers._waiting.values()):
            break
        world.skipped_ms += NIGHT_MS if night else 0
        if not await until(lambda: is_settled(world), world.loop, within_s=SETTLES_WITHIN_S):
            world.wrong("it did not settle once all was healed")
            break
    check_ending(world)
    for task in background:
        if task.done():
            task.result()
        task.cancel()


async def _later(world: World, at: float, act: Act) -> None:
    await world.loop.rest(at)
    await act()


def _heal(world: World, *, by_restarts: bool) -> None:
    """Nothing goes wrong any more: everything is started again, or has to see to it as it runs."""
    world.say(f"healed, {'and all is started again' if by_restarts else 'all goes on'}")
    world.network.healed, world.kafka.away, world.wants_adoption = True, False, False
    for process in list(world.processes()) if by_restarts else ():
        process.kill()


def _end(world: World) -> None:
    for process in list(world.processes()):
        process.kill()
    world.loop.drain()


def shrunk(seed: int) -> tuple[int, ...]:
    """The calls whose faults can be left out while the history still fails."""
    without: list[int] = []
    for fault in faults_of(seed):
        if run(seed, without=[*without, fault.call]).wrong:
            without.append(fault.call)
    return tuple(without)
