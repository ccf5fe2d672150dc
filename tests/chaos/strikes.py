"""The faults, each as it is done to a site under load."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.chaos.commits import AFTER, BEFORE, Point
from tests.chaos.hits import Hit
from tests.chaos.plan import Fault, Step
from tests.chaos.proxy import CLEAR, Proxy, Weather
from tests.chaos.site import HISTORY, PROFILES, Worker
from tests.chaos.storm import Storm
from tests.waiting import until

WEATHERS: Final = {
    "delay": Weather(delay_s=0.2),
    "dribble": Weather(delay_s=0.005, piece=256),
    "silence": Weather(silent=True),
}
_HELD_S: Final = 10.0
"""How long to wait for a commit to hold; then the kill comes without."""


def strike(storm: Storm, step: Step) -> Hit:
    """One step of the plan, to its end."""
    hit = Hit(number=len(storm.hits) + 1, fault=step.fault, at_s=round(storm.now(), 1))
    kind, _, target = step.fault.partition(" ")
    if kind in WEATHERS or kind in ("cut", "half-open"):
        _disturb(storm, hit, kind=kind, target=target, seconds=step.seconds)
    else:
        _ACTS[step.fault](storm, hit, step.seconds)
    storm.hits.append(hit)
    words = [f"{hit.at_s:6.0f} s", f"{hit.number:4}", hit.fault, hit.victim, hit.doing, hit.note]
    storm.tell("  ".join(filter(None, words)))
    return hit


def _kill(storm: Storm, hit: Hit, *, point: Point | None) -> None:
    storm.choose(PROFILES)
    storm.pass_time(storm.chance.uniform(0, 1.0))  # else every kill would follow a first commit
    victim = storm.choose(PROFILES)
    if point:
        hit.note = point if _holds(storm, victim, point) else "no commit came"
    storm.seen(hit, victim)
    _end_and_restart(storm, hit, victim)


def _holds(storm: Storm, victim: Worker, point: Point) -> bool:
    victim.tap.arm(point)
    end = storm.now() + _HELD_S
    storm.wait(lambda: victim.tap.caught.is_set() or storm.now() > end, within_s=_HELD_S + 60, what="a commit to hold")
    victim.tap.disarm()
    return victim.tap.caught.is_set()


def _end_and_restart(storm: Storm, hit: Hit, victim: Worker) -> None:
    victim.process.kill()
    victim.proxy.cut()  # what was held, or is still on its way, goes nowhere
    storm.await_work(hit, victim)
    storm.start(victim)


def _kill_history(storm: Storm, hit: Hit, _seconds: float) -> None:
    victim = storm.choose(HISTORY)
    storm.seen(hit, victim)
    _end_and_restart(storm, hit, victim)


def _terminate(storm: Storm, hit: Hit, _seconds: float) -> None:
    victim = storm.choose(PROFILES)
    storm.seen(hit, victim)
    began = storm.now()
    victim.send(signal.SIGTERM)
    until(lambda: victim.process.exit_status is not None, what=f"the end of {victim.name} after SIGTERM")
    hit.note = f"ended with {victim.process.exit_status} after {storm.now() - began:.1f} s"
    storm.await_work(hit, victim)
    storm.start(victim)


def _freeze(storm: Storm, hit: Hit, seconds: float) -> None:
    victim = storm.choose(PROFILES)
    storm.seen(hit, victim)
    victim.send(signal.SIGSTOP)
    storm.pass_time(seconds)
    storm.await_work(hit, victim)
    victim.send(signal.SIGCONT)
    hit.note = f"for {seconds} s"


def _third_worker(storm: Storm, hit: Hit, seconds: float) -> None:
    others = storm.profiles()
    guest = storm.site.hire("guest")
    storm.seen(hit, guest)
    storm.pass_time(seconds)
    hit.note = f"stayed {seconds} s and applied {guest.tap.total} batches"
    storm.await_work(hit, *others)
    storm.site.dismiss(guest)


def _kill_store(storm: Storm, hit: Hit, _seconds: float) -> None:
    storm.seen(hit)
    storm.site.kill_store()
    storm.pass_time(storm.chance.uniform(0, 3.0))
    storm.await_work(hit, *storm.profiles())
    storm.site.start_store()


def _copy_store(storm: Storm, hit: Hit, _seconds: float) -> None:
    """Only once every partition in use has a checkpoint: a partition that lost its only one stops, by design."""
    storm.wait(lambda: _all_begun(storm), within_s=150, what="a checkpoint of every partition")
    storm.seen(hit)
    storm.site.copy_store(_copy(storm))


def _all_begun(storm: Storm) -> bool:
    settings = storm.site.installation.settings
    stood = storm.site.checkpoints()
    of_log = sum(place.topic == settings.events_topic for place in stood)
    return of_log == settings.partitions and storm.sender.acked.keys() <= stood.keys()


def _restore_store(storm: Storm, hit: Hit, _seconds: float) -> None:
    storm.seen(hit)
    storm.site.kill_store()
    storm.site.put_back_store(_copy(storm))
    storm.await_work(hit, *storm.profiles())
    storm.site.start_store()
    hit.note = f"back from {hit.folded} to {storm.folded()} facts folded"


def _copy(storm: Storm) -> Path:
    return storm.site.folder / "older-store"


def _kill_broker(storm: Storm, hit: Hit, _seconds: float) -> None:
    storm.seen(hit)
    storm.site.restart_kafka()
    storm.await_work(hit, *storm.profiles())


def _disturb(storm: Storm, hit: Hit, *, kind: str, target: str, seconds: float) -> None:
    """Do something to the connections of one worker to the store, or of everybody to the broker."""
    victims = [storm.choose(PROFILES)] if target == "store" else storm.profiles()
    proxy: Proxy | None = victims[0].proxy if target == "store" else storm.site.kafka_proxy
    if proxy is None:
        hit.note = "left out: no proxy stands before this broker"
        return
    storm.seen(hit, *(victims if target == "store" else ()))
    if kind == "cut":
        hit.note = f"{proxy.cut()} connections"
    elif kind == "half-open":
        hit.note = f"{proxy.lose_far_end()} connections"
    else:
        proxy.turn(WEATHERS[kind])
        storm.pass_time(seconds)
        proxy.turn(CLEAR)
        hit.note = f"for {seconds} s"
    storm.await_work(hit, *victims)


Act = Callable[[Storm, Hit, float], None]

_ACTS: Final[Mapping[Fault, Act]] = {
    "kill worker": lambda storm, hit, _: _kill(storm, hit, point=None),
    "kill worker before a commit": lambda storm, hit, _: _kill(storm, hit, point=BEFORE),
    "kill worker after a commit": lambda storm, hit, _: _kill(storm, hit, point=AFTER),
    "kill history": _kill_history,
    "terminate worker": _terminate,
    "freeze worker": _freeze,
    "third worker comes and goes": _third_worker,
    "kill store": _kill_store,
    "copy store": _copy_store,
    "restore older store": _restore_store,
    "kill broker": _kill_broker,
}
