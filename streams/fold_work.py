"""Events become profiles: decode, load the facets not held, fold, and say what else follows."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from events.fact import Fact, FactUndecodable, decode_fact
from events.partitioning import partition_of
from events.position import Position, Stream
from profiles.facet import Facet
from profiles.facet_cache import Read
from profiles.fold import Folded, fold
from profiles.store import OutboxEntry
from streams.dead_letters import Undertaker
from streams.folding import Step
from streams.frame import Record
from streams.settling import encode_release

Candidates = Callable[[Fact, Position], Sequence[bytes]]
"""What outreach may follow from a fact: a pure function, payloads for the outbox."""

Clock = Callable[[], int]
"""Now, in ms since 1970."""

_EMPTY: Final = Facet()


class Facets(Protocol):
    """The facets of one partition, some held in memory."""

    async def load(self, stream: Stream, identities: Collection[str]) -> Read:
        """The facets that exist, and the checkpoint that stood while they were read."""
        ...

    def put(self, partition: int, facets: Mapping[str, Facet]) -> None:
        """Hold facets that now stand in the store."""
        ...

    def drop(self, partition: int) -> None:
        """Hold nothing of the partition any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldWork:
    """The work of `rapport.events` in the app `profiles`; see `streams.folding.Work`."""

    facets: Facets
    undertaker: Undertaker
    candidates: Candidates
    clock: Clock
    partitions: int
    fold: Callable[[Facet, Fact], Folded] = fold

    async def step(self, stream: Stream, epoch: int, records: Sequence[Record]) -> Step:
        """Fold the records in order; what cannot be folded becomes a dead letter and harms nothing else."""
        facts = [self._decode(stream, record) for record in records]
        identities = {fact.identity for fact in facts if isinstance(fact, Fact)}
        facets, stood = await self.facets.load(stream, identities)
        changed: dict[str, Facet] = {}
        outbox: list[OutboxEntry] = []
        for record, fact in zip(records, facts, strict=True):
            if not isinstance(fact, Fact):
                outbox.append(await self._set_aside(stream, epoch, record, reason="undecodable", detail=fact))
                continue
            folded = self.fold(changed.get(fact.identity) or facets.get(fact.identity, _EMPTY), fact)
            if folded.fate == "applied":
                changed[fact.identity] = folded.facet
            if folded.fate in ("applied", "repeated"):
                position = Position(epoch, stream.partition, record.offset)
                outbox.extend(self._following(fact, position, is_new=folded.fate == "applied"))
            else:
                outbox.append(await self._set_aside(stream, epoch, record, reason=folded.fate, detail=fact.type))
        return Step(changed, outbox, stood)

    def committed(self, stream: Stream, step: Step) -> None:
        """See `streams.folding.Work`."""
        self.facets.put(stream.partition, step.facets)

    def dropped(self, stream: Stream) -> None:
        """See `streams.folding.Work`."""
        self.facets.drop(stream.partition)

    def _decode(self, stream: Stream, record: Record) -> Fact | str:
        try:
            fact = decode_fact(record.value)
        except FactUndecodable as error:
            return str(error)
        if record.key != fact.identity.encode() or partition_of(record.key, self.partitions) != stream.partition:
            return "the record's key or partition is not that of its identity"
        return fact

    def _following(self, fact: Fact, position: Position, *, is_new: bool) -> list[OutboxEntry]:
        entries: list[OutboxEntry] = []
        if (release := encode_release(fact)) is not None:
            entries.append(OutboxEntry(offset=position.offset, index=0, kind="release", payload=release))
        if is_new:
            entries += [
                OutboxEntry(offset=position.offset, index=index, kind="candidate", payload=payload)
                for index, payload in enumerate(self.candidates(fact, position), start=1)
            ]
        return entries

    def _set_aside(
        self, stream: Stream, epoch: int, record: Record, *, reason: str, detail: str
    ) -> Awaitable[OutboxEntry]:
        return self.undertaker.entry(
            stream=stream, epoch=epoch, record=record, index=0, at=self.clock(), reason=reason, detail=detail
        )
