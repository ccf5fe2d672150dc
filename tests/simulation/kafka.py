"""A simulated log: topics of partitions with holes in their offsets, retention, and topics made anew.

It also coordinates the group: who owns what, in which generation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from events.admission import Admitted
from events.log import LogUnavailable, outgoing_facts
from events.position import Position
from events.sealing import IN_CLEAR
from streams.frame import Record

EVENTS: Final = "rapport.events"
INTAKE: Final = "rapport.intake"
DECISIONS: Final = "rapport.decisions"
OUTREACH: Final = "rapport.outreach"
TOPICS: Final = (INTAKE, EVENTS, DECISIONS, OUTREACH)
HOLES: Final = 0.12
"""Share of records behind which offsets are missing: an aborted transaction, or what compaction left out."""

Written = Callable[[str, int, Record], None]


@dataclass
class Partition:
    """One partition: its records, the first offset that is kept, and the next one."""

    records: list[Record] = field(default_factory=list)
    first: int = 0
    end: int = 0

    def fetched(self, start: int, limit: int) -> tuple[list[Record], int]:
        """Records from `start` on, and the position after them and the holes that follow."""
        found = [record for record in self.records if record.offset >= start][:limit]
        after = [record.offset for record in self.records if found and record.offset > found[-1].offset]
        return found, after[0] if after else max(self.end, start)


@dataclass
class Kafka:
    """The broker. `written` hears of each record."""

    partitions: int
    chance: Random
    clock: Callable[[], int]
    written: Written
    epoch: int = 1
    remade: int = 0
    away: bool = False
    former: dict[int, str] = field(default_factory=dict)
    """The topic's id in each epoch before this one."""
    topics: dict[tuple[str, int], Partition] = field(default_factory=dict)

    def at(self, topic: str, partition: int) -> Partition:
        """A partition, made when it is first asked for."""
        return self.topics.setdefault((topic, partition), Partition())

    def topic_id(self, topic: str) -> str:
        """The id the broker gave the topic; another one since it was made anew."""
        return f"{topic} {self.remade if topic == EVENTS else 0}"

    def write(self, topic: str, partition: int, *, key: bytes | None, value: bytes) -> int:
        """Append one record and, sometimes, a hole behind it."""
        if self.away:
            raise LogUnavailable("the log is away", failed={0: "away"})
        held = self.at(topic, partition)
        record = Record(held.end, self.clock(), key, value)
        held.records.append(record)
        held.end += 1 + (self.chance.randint(1, 3) if self.chance.random() < HOLES else 0)
        self.written(topic, partition, record)
        return record.offset

    def retain(self, topic: str, partition: int, first: int) -> None:
        """Forget what lies before an offset."""
        held = self.at(topic, partition)
        held.first = max(held.first, min(first, held.end))
        held.records = [record for record in held.records if record.offset >= held.first]

    def remake(self, topic: str) -> None:
        """The topic was deleted and made anew: other records at the same offsets."""
        self.remade += 1
        for partition in range(self.partitions):
            self.topics[topic, partition] = Partition()


@dataclass
class Group:
    """The coordinator of one consumer group: who is in it, and who owns what in this generation."""

    streams: Sequence[tuple[str, int]]
    generation: int = 0
    heard: dict[str, float] = field(default_factory=dict)

    def join(self, member: str, *, now: float) -> None:
        """Somebody comes, or says that it is still there."""
        if member not in self.heard:
            self.generation += 1
        self.heard[member] = now

    def expire(self, *, before: float) -> None:
        """Whoever was not heard of since is out."""
        gone = [member for member, at in self.heard.items() if at < before]
        for member in gone:
            del self.heard[member]
        self.generation += bool(gone)

    def assigned(self, member: str) -> list[tuple[str, int]]:
        """What a member owns in this generation; it changes from one to the next."""
        members = list(self.heard)
        turn = (members.index(member) + self.generation) % len(members)
        return [key for place, key in enumerate(self.streams) if place % len(members) == turn]


@dataclass(frozen=True)
class Producer:
    """See `events.log.EventLog`, over the simulated broker."""

    kafka: Kafka
    epoch: int

    async def append(self, admitted: Sequence[Admitted]) -> list[Position]:
        positions = []
        outgoing = await outgoing_facts(admitted, topic=EVENTS, sealing=IN_CLEAR)
        for item, out in zip(admitted, outgoing, strict=True):
            offset = self.kafka.write(out.topic, out.partition, key=out.key, value=out.value)
            positions.append(Position(self.epoch, item.partition, offset))
        return positions

    async def publish(self, *, topic: str, key: bytes | None, value: bytes, partition: int) -> int:
        return self.kafka.write(topic, partition, key=key, value=value)
