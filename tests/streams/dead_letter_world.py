"""A worker over memory: intake, fold and relay, with the letters they leave, and somebody who replays these."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from consent.memory_holds import MemoryHolds
from events.admission import Door
from events.fact import Fact
from events.memory_body_keys import MemoryBodyKeys
from events.memory_log import MemoryLog
from events.partitioning import partition_of
from events.position import Checkpoint, Stream
from profiles.facet import Facet
from profiles.facet_cache import FacetCache
from profiles.memory_store import MemoryStore
from profiles.store import OutboxEntry
from streams.admit_work import AdmitWork
from streams.dead_letters import DeadLetter, Undertaker
from streams.dead_letters_replay import Replayer
from streams.fold_work import FoldWork
from streams.folding import LogIdentity, StreamFold, Work
from streams.frame import Answer, Frame, Handled, Record
from streams.memory_dead_letters import MemoryDeadLetters
from streams.relay import Relay
from streams.settling import settlers
from tests.builders import ADMISSION, NOW, PARTITIONS, admitted, pseudonym, raw
from tests.sealing.keys import sealing_over
from tests.streams.memory_settling import SettledHolds, SettledLetters
from tests.waiting import eventually

EVENTS: Final = "rapport.events"
INTAKE: Final = "rapport.intake"
LOG: Final = LogIdentity(epoch=1, topic_id="a log")


class LetterWorld:
    """One worker that owns every partition of both topics; `door` is who may send on the intake."""

    def __init__(self, *, letters: MemoryDeadLetters | None = None, store: MemoryStore | None = None) -> None:
        self.now = NOW
        self.store = store or MemoryStore(partitions=PARTITIONS)
        self.sealing = sealing_over(MemoryBodyKeys())
        self.log = MemoryLog(topic=EVENTS, partitions=PARTITIONS, clock=lambda: self.now, sealing=self.sealing)
        self.letters = letters or MemoryDeadLetters()
        self.holds = MemoryHolds(partitions=PARTITIONS)
        self.candidates: list[bytes] = []
        self.door = Door(name=INTAKE)
        self.streams = [Stream("profiles", topic, at) for topic in (INTAKE, EVENTS) for at in range(PARTITIONS)]
        self._folds = {topic: self._fold(topic) for topic in (INTAKE, EVENTS)}
        settle = settlers(letters=SettledLetters(self.store, self.letters), holds=SettledHolds(self.store, self.holds))
        self.relay = Relay(
            store=self.store, publish={"candidate": self._follow}, settle=settle, owned=lambda: self.streams
        )

    def _fold(self, topic: str) -> StreamFold:
        return StreamFold(app="profiles", topic=topic, log=LOG, store=self.store, work=self._work(topic))

    def _work(self, topic: str) -> Work:
        undertaker = Undertaker(keys=self.letters)
        if topic == EVENTS:
            return FoldWork(
                facets=FacetCache(self.store),
                undertaker=undertaker,
                candidates=lambda fact, _position: (fact.event_key,),
                clock=lambda: self.now,
                partitions=PARTITIONS,
                sealing=self.sealing,
            )
        return AdmitWork(
            admission=ADMISSION, door=self.door, log=self.log, undertaker=undertaker, clock=lambda: self.now
        )

    def opened_to(self, door: Door) -> None:
        """Mend the cause: from now on the intake is this door."""
        self.door = door
        self._folds[INTAKE] = self._fold(INTAKE)

    async def send(self, said: Any, *, key: bytes | None = None, partition: int = 0) -> int:
        """A record on the intake: an event, or bytes as they are. Its offset."""
        value = said if isinstance(said, bytes) else raw(said)
        found = key or (said["subject"].encode() if isinstance(said, dict) else None)
        return await self.log.publish(topic=INTAKE, key=found, value=value, partition=partition)

    async def write(self, some: Fact) -> int:
        """A fact straight on the log."""
        placed = admitted(some)
        [value] = self.sealing.seal([some])
        return await self.log.publish(topic=EVENTS, key=some.identity.encode(), value=value, partition=placed.partition)

    async def work(self) -> None:
        """Take up whatever stands on both topics, and publish what follows."""
        for stream in self.streams:
            records = tuple(Record(*record) for record in self.log.records(stream.topic, stream.partition))
            await self.take(stream, records)

    async def work_on_facts(self) -> None:
        """The same for the log of facts alone."""
        for stream in self.streams:
            if stream.topic == EVENTS:
                records = [Record(*record) for record in self.log.records(stream.topic, stream.partition)]
                await self.take(stream, records)

    async def fold(self, frame: Frame) -> Answer:
        """What the owner of the frame's topic answers."""
        return await self._folds[frame.topic](frame)

    async def take(self, stream: Stream, records: Sequence[Record]) -> Checkpoint | None:
        """Take up records from the start of a partition, and publish what follows; the checkpoint then."""
        end = records[-1].offset + 1 if records else 0
        frame = Frame(
            topic=stream.topic, partition=stream.partition, generation=1, start=0, end=end, records=tuple(records)
        )
        assert await self.fold(frame) == Handled()
        await self.relay.drain(stream)
        return await self.store.checkpoint(stream)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker that goes on all the while."""

        async def forever() -> None:
            while True:
                await self.work()
                await asyncio.to_thread(lambda: None)

        running = asyncio.create_task(forever())
        try:
            yield
        finally:
            running.cancel()

    def replayer(self, **changed: Any) -> Replayer:
        return Replayer(
            **{
                "letters": self.letters,
                "log": self.log,
                "progress": self.store,
                "holds": self.holds,
                "log_ids": {INTAKE: LOG.topic_id, EVENTS: LOG.topic_id},
                "events_topic": EVENTS,
                "partitions": PARTITIONS,
                "clock": lambda: self.now,
                "sealing": self.sealing,
                "wait_s": 5.0,
                **changed,
            }
        )

    async def kept(self) -> list[DeadLetter]:
        return [letter async for letter in self.letters.listed()]

    async def reasons(self) -> list[tuple[int, str]]:
        """Offset and reason of every letter, by place."""
        return [(letter.offset, letter.reason) for letter in await self.kept()]

    async def replayed(self, letters: Sequence[DeadLetter] | None = None, **changed: Any) -> list[str]:
        """What became of the letters, in their order, while a worker runs."""
        chosen = await self.kept() if letters is None else letters
        async with self.working():
            outcomes = await self.replayer(**changed).replay(chosen)
            await eventually(self._is_at_its_end, what="the worker at its end")
        return [outcomes[letter.id] for letter in chosen]

    async def _is_at_its_end(self) -> bool:
        for stream in self.streams:
            checkpoint = await self.store.checkpoint(stream)
            end = len(self.log.records(stream.topic, stream.partition))
            if (checkpoint.offset if checkpoint else 0) < end or await self.store.outbox_length(stream):
                return False
        return True

    async def facet(self, identity: str = "app:42") -> Facet:
        name = pseudonym(identity)
        return (await self.store.load(partition_of(name.encode(), PARTITIONS), [name])).get(name, Facet())

    def facts(self, topic: str = EVENTS) -> int:
        """How many records stand on a topic."""
        return sum(len(self.log.records(topic, at)) for at in range(PARTITIONS))

    async def _follow(self, _stream: Stream, entries: Sequence[OutboxEntry]) -> None:
        self.candidates += [entry.payload for entry in entries]
