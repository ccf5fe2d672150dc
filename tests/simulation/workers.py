"""The processes of an installation, built from the product's parts over simulated servers."""

import asyncio
from typing import Any, Final

from commands.worker_outreach import OutreachPlant
from consent.recording import Recorder
from consent.rules import shipped_rules
from consent.sweeper import Sweeper
from events.admission import Admission, Door
from events.position import Stream
from outreach.addressing import Addressing
from outreach.assessment import Assessment
from outreach.claiming import Claims
from outreach.deciding import Decider, Topics
from profiles.facet_cache import FacetCache
from profiles.person import PersonReader, StoreFacets
from streams.admit_work import AdmitWork
from streams.archive_work import ArchivedPositions, Archiver
from streams.candidate_relay import CandidateRelay
from streams.dead_letters import Undertaker
from streams.decide_work import DecideWork
from streams.fold_work import FoldWork
from streams.folding import StoredCheckpoints, StreamFold
from streams.relay import Relay
from streams.settling import settlers
from streams.store_watch import StoreWatch
from streams.timers import TimerWatch
from tests.builders import PSEUDONYMS
from tests.outreach.world import CATALOGUE, KEY, LINKS, TRIGGERS
from tests.simulation.consumer import Consumer
from tests.simulation.kafka import DECISIONS, EVENTS, INTAKE, OUTREACH
from tests.simulation.network import Process
from tests.simulation.permission import WatchedDecider
from tests.simulation.world import PARTITIONS, PROFILES, World

ADMISSION: Final = Admission(pseudonyms=PSEUDONYMS, partitions=PARTITIONS)
CACHED: Final = 3
"""Facets a worker holds; few, so that it has to load some again."""
COMPANIONS_S: Final = 2.0


def decider_of(world: World, process: Process) -> Decider:
    """The decider as a process has it."""
    return Decider(
        addressing=Addressing(reader_of(world, process), TRIGGERS),
        assessment=Assessment(TRIGGERS, CATALOGUE),
        records=world.decisions(process),
        timers=world.timers(process),
        log=world.log(process),
        topics=Topics(decisions=DECISIONS, outreach=OUTREACH),
        links=LINKS,
        partitions=PARTITIONS,
        key=KEY,
    )


def reader_of(world: World, process: Process) -> PersonReader:
    """The person read as a process has it."""
    return PersonReader(StoreFacets(world.store(process), world.holds(process), PARTITIONS), rules=shipped_rules())


def claims_of(world: World, process: Process) -> Claims:
    """Claims as the API answers them."""
    decider = decider_of(world, process)
    return Claims(addressing=decider.addressing, assessment=decider.assessment, records=decider.records, key=KEY)


def recorder_of(world: World, process: Process) -> Recorder:
    """The recorder as a process has it."""
    return Recorder(
        records=world.acts(process), holds=world.holds(process), log=world.log(process), partitions=PARTITIONS
    )


class Worker:
    """The event process: admission, fold, decisions, and what runs beside them."""

    is_archivist = False

    def __init__(self, world: World, name: str) -> None:
        self.process = Process(name, world.loop)
        self._world = world
        self._letters = world.letters(self.process)
        decider = decider_of(world, self.process)
        store = world.store(self.process)
        self._relay = Relay(
            store=store,
            publish={"candidate": CandidateRelay(decider, world.clock)},
            settle=settlers(letters=world.settled_letters(self.process), holds=world.settled_holds(self.process)),
            owned=self._owned,
            idle_s=COMPANIONS_S,
        )
        logs = world.identities()
        folds = {
            topic: StreamFold(
                app=PROFILES, topic=topic, log=logs[topic], store=store, work=work, on_outbox=self._relay.wake
            )
            for topic, work in self._works(store, decider).items()
        }
        checkpoints = StoredCheckpoints(app=PROFILES, store=store, starts=self._starts, logs=logs)
        group = world.groups[PROFILES]
        self.consumer = Consumer(self.process, kafka=world.kafka, group=group, routes=folds, checkpoints=checkpoints)
        self._watch = StoreWatch(
            ownership=self.consumer.ownership, app=PROFILES, folds=folds, standing=world.standing(self.process)
        )
        self._recorder = recorder_of(world, self.process)
        self._decider = decider

    def start(self) -> None:
        """Begin; the end of any part is the end of the process."""
        world, spawn = self._world, self.process.spawn
        sweeper = Sweeper(recorder=self._recorder, partitions=lambda: self._mine(EVENTS), clock=world.clock)
        timers = TimerWatch(decider=self._decider, partitions=lambda: self._mine(DECISIONS), clock=world.clock)
        lasting = [
            *self.consumer.works(),
            spawn(self._relay.run()),
            spawn(sweeper.run(every_s=COMPANIONS_S)),
            spawn(timers.run(every_s=COMPANIONS_S)),
            spawn(self._watch.run(every_s=COMPANIONS_S)),
        ]
        for task in lasting:
            task.add_done_callback(self._ended)

    def _works(self, store: Any, decider: Decider) -> dict[str, Any]:
        world, undertaker = self._world, Undertaker(keys=self._letters)
        return {
            INTAKE: AdmitWork(
                admission=ADMISSION,
                door=Door(name=INTAKE),
                log=world.log(self.process),
                undertaker=undertaker,
                clock=world.clock,
            ),
            EVENTS: FoldWork(
                facets=FacetCache(store, facets_max=CACHED),
                undertaker=undertaker,
                candidates=OutreachPlant(triggers=TRIGGERS, decider=decider).candidates,
                clock=world.clock,
                partitions=PARTITIONS,
            ),
            DECISIONS: DecideWork(
                decider=WatchedDecider(decider, world, self.process),  # type: ignore[arg-type]
                undertaker=undertaker,
                clock=world.clock,
            ),
        }

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        ended(self._world, self.process, task)

    def _owned(self) -> list[Stream]:
        return [Stream(PROFILES, topic, partition) for topic, partition in list(self.consumer.ownership.claims)]

    def _mine(self, topic: str) -> list[int]:
        return [partition for name, partition in list(self.consumer.ownership.claims) if name == topic]

    async def _starts(self, topic: str) -> dict[int, int]:
        return {partition: self._world.kafka.at(topic, partition).first for partition in range(PARTITIONS)}


class Archivist:
    """The app that writes history."""

    is_archivist = True

    def __init__(self, world: World, name: str) -> None:
        self.process = Process(name, world.loop)
        self._world = world
        log = world.identities()[EVENTS]
        self._archiver = Archiver(archive=world.archive, log=log)
        self.consumer = Consumer(
            self.process,
            kafka=world.kafka,
            group=world.groups["history"],
            routes={EVENTS: self._archiver},
            checkpoints=ArchivedPositions(archive=world.archive, log=log),
        )

    def start(self) -> None:
        """Begin."""
        for task in [*self.consumer.works(), self.process.spawn(self._flush())]:
            task.add_done_callback(self._ended)

    async def _flush(self) -> None:
        while True:
            await self.process.rest(COMPANIONS_S)
            await self._archiver.flush()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        ended(self._world, self.process, task)


def ended(world: World, process: Process, task: "asyncio.Task[Any]") -> None:
    """A part that ends, ends its process."""
    if not task.cancelled():
        world.say(f"{process.name} ends with {task.exception()!r}")
        process.kill()


def start(world: World, name: str) -> None:
    """Start a worker or the archivist under its name, in place of one that died."""
    made = Archivist(world, name) if name == "archivist" else Worker(world, name)
    world.workers[name] = made
    made.start()
