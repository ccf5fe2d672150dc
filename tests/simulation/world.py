"""One simulated installation: a broker, a store, workers, an archivist and an API, and all that can happen to them."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from consent.holds import ConsentStoreUnavailable
from events.log import LogUnavailable
from events.position import Stream
from outreach.records import OutreachUnavailable
from profiles.packed import unpack
from profiles.store import Committed, ProfileStoreUnavailable
from streams.folding import LogIdentity
from streams.frame import Record
from tests.builders import NOW
from tests.simulation.archive import MemoryArchive
from tests.simulation.kafka import DECISIONS, EVENTS, INTAKE, OUTREACH, Group, Kafka, Producer
from tests.simulation.loop import SimulatedLoop
from tests.simulation.model import Model, Place
from tests.simulation.network import Fault, Network, Process, Remote, at_once
from tests.simulation.server import Copy, Server

PARTITIONS: Final = 2
PROFILES: Final = "profiles"
FOLDED: Final = (INTAKE, EVENTS, DECISIONS)
STREAMS: Final = ((INTAKE, 0), *((topic, each) for topic in (EVENTS, DECISIONS) for each in range(PARTITIONS)))
SESSION_S: Final = 2.5
AWAY_S: Final = 3.0
LATELY: Final = 3
"""Copies of the store as it was before the last few commits."""


@dataclass
class Findings:
    """What was seen to be wrong, and what has to be compared in the end."""

    wrong: list[str] = field(default_factory=list)
    acknowledged: set[tuple[str, bytes]] = field(default_factory=set)
    intake: dict[tuple[int, int], bytes] = field(default_factory=dict)
    messages: dict[str, bytes] = field(default_factory=dict)
    sends: dict[str, Any] = field(default_factory=dict)
    sent_by: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    went: set[str] = field(default_factory=set)
    went_before: set[str] = field(default_factory=set)  # in a store that has gone back since


class World:
    """The parts, and the clock: virtual time, plus the nights that were skipped."""

    def __init__(self, *, seed: int, faults: dict[int, Fault], tell: Callable[[str], None] | None = None) -> None:
        self.loop = SimulatedLoop()
        self.chance = Random(f"{seed} world")
        self.tell = None if tell is None else lambda text: tell(f"{self.loop.now:8.3f} {text}")
        self.network = Network(
            loop=self.loop, chance=Random(f"{seed} network"), faults=faults, happens=self._happens, tell=self.tell
        )
        self.kafka = Kafka(partitions=PARTITIONS, chance=Random(f"{seed} log"), clock=self.clock, written=self._written)
        self.groups = {
            PROFILES: Group(STREAMS),
            "history": Group([key for key in STREAMS if key[0] == EVENTS]),
        }
        self.server = Server(PARTITIONS)
        self.archive = MemoryArchive()
        self.model = Model(PARTITIONS)
        self.found = Findings()
        self.skipped_ms = 0
        self.restores = 0
        self.frozen: dict[int, int] = {}
        self.workers: dict[str, Any] = {}
        self.api = Process("api", self.loop)
        self.wants_adoption = False
        self._copies: list[Copy] = [self.server.copy()]
        self._lately: deque[Copy] = deque(self._copies, maxlen=LATELY)

    def clock(self) -> int:
        """Now in ms, as every process reads it."""
        return NOW + self.skipped_ms + int(self.loop.now * 1000)

    def remote(self, target: Any, process: Process, name: str, unknown: Callable[[], Exception], **watched: Any) -> Any:
        """A server's object as a process reaches it."""
        return Remote(target, network=self.network, process=process, name=name, unknown=unknown, **watched)

    def store(self, process: Process) -> Any:
        """The profile store as a process reaches it."""
        watch = {"before": self._store_will, "watch": self._store_did, "seen": ("commit",)}
        return self.remote(self.server.profiles, process, "store", ProfileStoreUnavailable, **watch)

    def holds(self, process: Process) -> Any:
        """The holds as a process reaches them."""
        return self.remote(self.server.holds, process, "holds", ConsentStoreUnavailable)

    def settled_holds(self, process: Process) -> Any:
        """The holds as a relay settles them."""
        watch = {"watch": self._holds_did, "seen": ("settle",)}
        return self.remote(self.server.settled_holds, process, "holds", ConsentStoreUnavailable, **watch)

    def settled_letters(self, process: Process) -> Any:
        """The dead letters as a relay settles them."""
        return self.remote(self.server.settled_letters, process, "letters", ProfileStoreUnavailable)

    def standing(self, process: Process) -> Any:
        """Many checkpoints as a process reads them at once."""
        return self.remote(self.server, process, "store", ProfileStoreUnavailable).standing

    def acts(self, process: Process) -> Any:
        """The act records as a process reaches them."""
        return self.remote(self.server.acts, process, "acts", ConsentStoreUnavailable)

    def decisions(self, process: Process) -> Any:
        """The decisions as a process reaches them."""

        def written(method: str, args: tuple[Any, ...], value: Any) -> None:
            self._decisions_did(process, args[0], value)

        return self.remote(
            self.server.decisions, process, "decisions", OutreachUnavailable, watch=written, seen=("write",)
        )

    def timers(self, process: Process) -> Any:
        """The timers as a process reaches them."""
        return self.remote(self.server.timers, process, "timers", OutreachUnavailable)

    def letters(self, process: Process) -> Any:
        """The dead letters as a process reaches them."""
        return self.remote(self.server.letters, process, "letters", ConnectionError)

    def log(self, process: Process) -> Any:
        """The log as a process writes it."""
        return self.remote(Producer(self.kafka, self.kafka.epoch), process, "log", _no_acknowledgement)

    def identities(self) -> dict[str, LogIdentity]:
        """Which log each topic is, as a process finds it when it starts."""
        logs = {topic: LogIdentity(epoch=1, topic_id=self.kafka.topic_id(topic)) for topic in (*FOLDED, OUTREACH)}
        ends = {
            epoch: [self.archive.contiguous_end(epoch, partition) for partition in range(PARTITIONS)]
            for epoch in self.kafka.former
        }
        return logs | {EVENTS: replace(logs[EVENTS], epoch=self.kafka.epoch, earlier=ends)}

    def processes(self) -> Iterator[Process]:
        """Every process that is meant to live."""
        yield self.api
        yield from (worker.process for worker in self.workers.values())

    def living_api(self) -> Process:
        """The API, started again where it died."""
        if not self.api.alive:
            self.api = Process("api", self.loop)
        return self.api

    def wrong(self, what: str) -> None:
        """An invariant does not hold."""
        self.found.wrong.append(what)
        if self.tell is not None:
            self.tell(f"WRONG: {what}")

    def say(self, what: str) -> None:
        """A line of the trace."""
        if self.tell is not None:
            self.tell(what)

    # What is seen at the servers.

    def _written(self, topic: str, partition: int, record: Record) -> None:
        if topic == EVENTS and partition not in self.frozen:
            self.model.appended(topic, epoch=self.kafka.epoch, partition=partition, record=record)
        elif topic == INTAKE:
            self.found.intake[partition, record.offset] = record.value or b""
        elif topic == OUTREACH:
            message = record.value or b""
            name = message.partition(b'"id":"')[2].partition(b'"')[0].decode()
            if self.found.messages.setdefault(name, message) != message and not self.restores:
                self.wrong(f"message {name} was published with two contents")

    def _store_will(self) -> None:
        self._lately.append(self.server.copy())

    def _store_did(self, _method: str, args: tuple[Any, ...], value: Any) -> None:
        commit = args[0]
        if not isinstance(value, Committed) or commit.stream.topic != EVENTS:
            return
        partition, next_ = commit.stream.partition, commit.next
        reached: Place = (next_.epoch, next_.offset)
        if reached < self.model.folded.get(partition, (0, 0)):
            self.wrong(f"the checkpoint of {partition} moved back to {reached}")
        if partition in self.frozen and next_.offset > self.frozen[partition]:
            self.wrong(f"records of another log were folded into partition {partition}")
        self.model.folded[partition] = reached
        for identity, facet in commit.facets.items():
            if unpack(facet).recent != self.model.recent(identity, until=reached):
                self.wrong(f"the facet of {identity} at {reached} does not hold the log's events up to there")

    def _holds_did(self, _method: str, _args: tuple[Any, ...], _value: Any) -> None:
        held = self.server.held()
        for name in sorted(self.model.noes):
            if name not in held and not self.model.is_folded(name):
                self.wrong(f"the hold of {name[1].hex()} is gone and its fact is not folded")

    def _decisions_did(self, process: Process, decision: Any, value: Any) -> None:
        if value != "written" or decision.verdict != "send":
            return
        self.found.sent_by[process.name].append(decision)
        said = (decision.id, decision.at, decision.service, decision.channel, decision.valid_until)
        if self.found.sends.setdefault(decision.id, said) != said and not self.restores:
            self.wrong(f"decision {decision.id} was made twice with different contents")

    # What happens to the world.

    def _happens(self, fault: Fault, process: Process) -> None:
        match fault.name:
            case "log_away":
                self.kafka.away = True
                self.loop.call_later(AWAY_S * fault.size, self._log_is_back)
            case "rebalance":
                self.groups[PROFILES].generation += 1
            case "copy_store":
                self._copies.append(self.server.copy())
            case "restore_store" | "restore_after":
                self._restore(self._chosen(fault))
            case "lose_store":
                self._restore(self._copies[0])
            case "retain":
                self._retain()
            case "remake_log":
                self._remake()
            case "adopt_log":
                self.wants_adoption = True
            case _:
                pass

    def _chosen(self, fault: Fault) -> Copy:
        if fault.name == "restore_after":
            return self._lately[-1 if fault.size < 0.6 else 0]
        copies = self._copies if fault.size < 0.5 else self._lately
        return copies[int(fault.size * 2 % 1 * len(copies))]

    def _log_is_back(self) -> None:
        self.kafka.away = False

    def _restore(self, copy: Copy) -> None:
        # A worker refuses to start where the store remembers less than history does, or nothing of an earlier log.
        if self.frozen or (self.kafka.epoch > 1 and copy is self._copies[0]):
            return
        self.server.restore(copy)
        self.restores += 1
        self.found.went_before |= self.found.went
        self.found.went.clear()
        for partition in range(PARTITIONS):
            self.read_checkpoint(partition)
        self.forget_what_is_lost()

    def forget_what_is_lost(self) -> None:
        """A copy that is older than an act, when the act is not on the log either, has lost it: no promise is kept."""
        held, acts = self.server.held(), self.server.acts._records
        for name in list(self.model.noes):
            if name not in held and not self.model.is_folded(name):
                del self.model.noes[name]
        waits = {name for name in self.found.acknowledged if name not in self.model.on_log}
        self.found.acknowledged -= {name for name in waits if name not in held and name[1] not in acts}

    def read_checkpoint(self, partition: int) -> None:
        """How far the store says that a partition is folded."""
        found = at_once(self.server.profiles.checkpoint(Stream(PROFILES, EVENTS, partition)))
        self.model.folded[partition] = (0, 0) if found is None else (found.epoch, found.offset)

    def _retain(self) -> None:
        for partition in range(PARTITIONS):
            epoch, offset = self.model.folded.get(partition, (0, 0))
            archived = self.archive.contiguous_end(self.kafka.epoch, partition)
            if epoch == self.kafka.epoch and partition not in self.frozen:
                self.kafka.retain(EVENTS, partition, min(offset, archived))

    def _remake(self) -> None:
        """Somebody deletes the topic under running workers: what is folded stays, and nothing is folded on top."""
        folded = [self.model.folded.get(partition, (0, 0)) for partition in range(PARTITIONS)]
        if self.kafka.epoch > 1 or self.frozen or (0, 0) in folded:
            return
        self.frozen = {partition: self.kafka.at(EVENTS, partition).end for partition in range(PARTITIONS)}
        self.kafka.remake(EVENTS)

    def adopt(self) -> None:
        """The topic is made anew with all of the old one folded and archived: the next epoch begins."""
        self.kafka.former[self.kafka.epoch] = self.kafka.topic_id(EVENTS)
        self.kafka.remake(EVENTS)
        self.kafka.epoch += 1


def _no_acknowledgement() -> Exception:
    return LogUnavailable("no acknowledgement in time", failed={0: "no acknowledgement in time"})


async def until(condition: Callable[[], bool], loop: SimulatedLoop, *, within_s: float, every_s: float = 0.5) -> bool:
    """Wait, in virtual time, until it holds; False at the end of the time."""
    deadline = loop.now + within_s
    while not condition():
        if loop.now >= deadline:
            return False
        await loop.rest(every_s)
    return True
