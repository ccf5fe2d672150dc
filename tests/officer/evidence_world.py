"""Evidence from facts by hand: written to a log in this process's memory, and followed into an index."""

from collections.abc import Collection, Sequence
from pathlib import Path

from consent.evidence import Evidence
from consent.evidence_index import EvidenceIndex
from events.fact import Fact, encode_fact
from events.following import Stretch
from events.history import History
from events.memory_log import MemoryRecord
from events.position import Position
from tests.builders import PARTITIONS, admitted


def placed(facts: Sequence[Fact], *, epoch: int = 1) -> list[tuple[Position, Fact]]:
    """The facts where they would stand, in the order given, each in the partition of its identity."""
    ends = dict.fromkeys(range(PARTITIONS), 0)
    found = []
    for fact in facts:
        partition = admitted(fact).partition
        found.append((Position(epoch, partition, ends[partition]), fact))
        ends[partition] += 1
    return found


def stretches(facts: Sequence[Fact]) -> list[Stretch]:
    """One stretch for each partition that has any of the facts."""
    by_partition: dict[int, list[tuple[Position, Fact]]] = {}
    for position, fact in placed(facts):
        by_partition.setdefault(position.partition, []).append((position, fact))
    return [
        Stretch(epoch=1, partition=partition, start=0, end=len(found), facts=found)
        for partition, found in by_partition.items()
    ]


def evidence_in(index: EvidenceIndex, identities: Collection[str]) -> dict[str, list[Evidence]]:
    """What the index holds about the identities."""
    with index.reading() as evidence:
        return evidence.of(identities)


def index_of(folder: Path, *facts: Fact) -> EvidenceIndex:
    """An index that has taken the facts."""
    index = EvidenceIndex(folder / "evidence.sqlite")
    for stretch in stretches(facts) or [Stretch(epoch=1, partition=0, start=0, end=1, facts=[])]:
        index.take(stretch)
    return index


def archive(history: History, facts: Sequence[Fact], *, epoch: int = 1) -> None:
    """Put the facts into history, after what stands there."""
    ends = {partition: history.contiguous_end(epoch, partition) for partition in range(PARTITIONS)}
    for (_, partition, offset), fact in placed(facts, epoch=epoch):
        start = ends[partition] + offset
        record = MemoryRecord(start, fact.received_at, fact.identity.encode(), encode_fact(fact))
        history.append(epoch, partition, start, start + 1, [record])
