"""A site under load, watched: who may be hit, what a hit found, who is back at work, and when all is at rest."""

import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import redis

from commands.lag_board import read_outboxes
from tests.chaos.commits import Partition
from tests.chaos.hits import Hit
from tests.chaos.proxy import CLEAR, Proxy
from tests.chaos.site import HISTORY, PROFILES, Site, Worker
from tests.chaos.topics import ends_of
from tests.chaos.verdict import archived
from tests.waiting import until

PATIENCE_S: Final = 150.0
"""How long the workers may take until one of them has applied a batch and has backlog."""


class Source(Protocol):
    """Whoever fills the intakes: what is acknowledged by partition, and why it broke, if it did."""

    acked: Counter[Partition]
    broken: BaseException | None

    def end(self) -> None:
        """Send what is in hand and stop."""
        ...


@dataclass
class _Awaited:
    """A hit whose victims (names) have yet to commit again."""

    hit: Hit
    since: float
    done: dict[str, int]


class Storm:
    """What the strikes (`tests.chaos.strikes`) act on. `spared` workers are never hit; `tell` hears of each hit."""

    def __init__(
        self,
        site: Site,
        sender: Source,
        *,
        chance: random.Random,
        spared: Iterable[str] = (),
        tell: Callable[[str], None] = print,
    ) -> None:
        self.hits: Final[list[Hit]] = []
        self.ended: Final[list[str]] = []
        self.cold_starts: Final[dict[str, float]] = {}
        self.site = site
        self.sender = sender
        self.chance = chance
        self._spared = frozenset(spared)
        self.tell = tell
        self._began = time.monotonic()
        self._awaited: list[_Awaited] = []

    @property
    def counted(self) -> int:
        """Kills that count."""
        return sum(hit.is_counted for hit in self.hits)

    def look(self) -> None:
        """See to the workers as their supervisor would, and note who is back at work."""
        assert self.sender.broken is None, f"the sender ended with {self.sender.broken!r}"
        for worker in list(self.site.workers.values()):
            if (status := worker.process.exit_status) is not None:
                self.ended.append(
                    f"{worker.name} ended by itself with {status} at {self.now():.0f} s: {worker.last_words}"
                )
                self.tell(self.ended[-1])
                self.start(worker)
            if worker.tap.total and worker.name not in self.cold_starts:
                self.cold_starts[worker.name] = round(worker.tap.applied_at - worker.started_at, 2)
        for awaited in list(self._awaited):
            if any(self._work_of(name) > done for name, done in awaited.done.items()):
                awaited.hit.back_s = round(time.monotonic() - awaited.since, 2)
                self._awaited.remove(awaited)

    def wait(self, condition: Callable[[], object], *, within_s: float, what: str) -> None:
        """Wait for a condition while the workers are seen to."""

        def is_so() -> object:
            self.look()
            return condition()

        until(is_so, within_s=within_s, what=what)

    def pass_time(self, seconds: float) -> None:
        """Let the load run."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= end, within_s=seconds + 60, what="the end of a pause")

    def wait_folded(self, facts: int) -> None:
        """Wait until so many facts are folded."""
        self.wait(lambda: self.folded() >= facts, within_s=300, what=f"{facts} facts folded")

    def settle(self, *, within_s: float = 600.0) -> None:
        """Clear weather, nothing more sent; wait until all is folded, archived and published, and end the workers.

        One that was cut off may still append what another has admitted meanwhile. So the last look comes when nobody
        is left to append; if it finds more, the workers go on.
        """
        for proxy in self.proxies():
            proxy.turn(CLEAR)
        self.sender.end()
        settings = self.site.installation.settings
        while True:
            self._wait_folded(list(settings.intakes), within_s=within_s)
            total = self._wait_folded([settings.events_topic], within_s=within_s)
            self._wait_archived(total, within_s=within_s)
            self.wait(self._nothing_waits, within_s=within_s, what="empty outboxes")
            for worker in self.site.workers.values():
                worker.process.stop()
            if sum(ends_of(settings.brokers, [settings.events_topic]).values()) == total:
                return
            for worker in self.site.workers.values():
                self.start(worker)

    def _wait_folded(self, topics: list[str], *, within_s: float) -> int:
        ends = ends_of(self.site.installation.settings.brokers, topics)
        self.wait(lambda: self._reached(ends), within_s=within_s, what=f"{topics[-1]} folded to its end")
        return sum(ends.values())

    def _wait_archived(self, total: int, *, within_s: float) -> None:
        self.wait(lambda: archived(self.site.installation) >= total, within_s=within_s, what="history at its end")

    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def start(self, worker: Worker) -> None:
        """Start a worker anew, and count since then."""
        self.site.start(worker)
        worker.archived_at_start = archived(self.site.installation) if worker.app == HISTORY else 0

    def choose(self, app: str) -> Worker:
        """A worker that a kill would count for: it has applied a batch since its start and has backlog left."""
        found: list[Worker] = []

        def is_found() -> bool:
            found[:] = [worker for worker in self._hireable(app) if self.applied(worker) and self.backlog(worker)]
            return bool(found)

        try:
            self.wait(is_found, within_s=PATIENCE_S, what=f"a worker of {app} with work done and work left")
        except AssertionError as error:
            error.add_note(self.describe())
            raise
        return self.chance.choice(found)

    def describe(self) -> str:
        """How things stand, for a run that came to nothing: who does what, and where the sender is."""
        lines = [f"{self.sender.acked.total()} sent, {self.folded()} folded; the sender is at:"]
        frames = sys._current_frames()
        lines += [
            line.rstrip()
            for thread in threading.enumerate()
            if thread.name == "sender" and thread.ident in frames
            for line in traceback.format_stack(frames[thread.ident])
        ]
        lines += [
            f"{worker.name}: applied {self.applied(worker)} batches of {sorted(worker.tap.applied)} since its start "
            f"{time.monotonic() - worker.started_at:.0f} s ago, {self.backlog(worker)} wait; {worker.tap.doing}; "
            f"said last: {worker.last_words}"
            for worker in self.site.workers.values()
        ]
        return "\n".join(lines)

    def profiles(self) -> list[Worker]:
        """The workers that fold."""
        return [worker for worker in self.site.workers.values() if worker.app == PROFILES]

    def applied(self, worker: Worker) -> int:
        """Batches since its start; of the archiver, offsets."""
        if worker.app == HISTORY:
            return archived(self.site.installation) - worker.archived_at_start
        return worker.tap.applied.total()

    def backlog(self, worker: Worker) -> int:
        """Records acknowledged to the sender and not yet admitted, on the partitions the worker works on."""
        try:
            stood = self.site.checkpoints()
        except (OSError, redis.RedisError):
            return 0
        if worker.app == HISTORY:
            settings = self.site.installation.settings
            ends = ends_of(settings.brokers, [settings.events_topic])
            return max(0, sum(ends.values()) - archived(self.site.installation))
        mine = [place for place in worker.tap.applied if place in self.sender.acked]
        return sum(max(0, self.sender.acked[place] - stood.get(place, 0)) for place in mine)

    def folded(self) -> int:
        """Facts folded so far: the checkpoints of the log, added up; -1 while the store is away."""
        events = self.site.installation.settings.events_topic
        try:
            return sum(offset for place, offset in self.site.checkpoints().items() if place.topic == events)
        except (OSError, redis.RedisError):
            return -1

    def seen(self, hit: Hit, *victims: Worker) -> None:
        """Note what a hit finds, just before it strikes."""
        hit.at_s = round(self.now(), 1)
        hit.victim = ", ".join(worker.name for worker in victims)
        hit.doing = "; ".join(worker.tap.doing for worker in victims if worker.app == PROFILES)
        hit.applied = sum(self.applied(worker) for worker in victims)
        hit.backlog = sum(self.backlog(worker) for worker in victims)
        hit.folded = self.folded()

    def await_work(self, hit: Hit, *victims: Worker) -> None:
        """From now on, measure how long it takes until one of them has work committed."""
        done = {worker.name: self._work_of(worker.name) for worker in victims}
        self._awaited.append(_Awaited(hit, time.monotonic(), done))

    def _hireable(self, app: str) -> list[Worker]:
        workers = self.site.workers.values()
        return [worker for worker in workers if worker.app == app and worker.name not in self._spared]

    def _work_of(self, name: str) -> int:
        """What a worker has done in all its lives."""
        worker = self.site.workers.get(name)
        if worker is None:
            return 0
        return worker.tap.total if worker.app == PROFILES else archived(self.site.installation)

    def proxies(self) -> list[Proxy]:
        """All of them."""
        own = [worker.proxy for worker in self.site.workers.values()]
        return [*own, self.site.kafka_proxy] if self.site.kafka_proxy else own

    def _reached(self, ends: Mapping[Partition, int]) -> bool:
        try:
            stood = self.site.checkpoints()
        except (OSError, redis.RedisError):
            return False
        return all(stood.get(place, 0) >= end for place, end in ends.items())

    def _nothing_waits(self) -> bool:
        settings = self.site.installation.settings
        return read_outboxes(settings, app=PROFILES, topics=settings.topics_read) == 0
