"""Events become profiles: decode, load the facets not held, fold, and say what else follows."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from events.fact import Fact, FactUndecodable, decode_fact
from events.partitioning import partition_of
from events.position import Position, Stream
from profiles.facet import Facet
from profiles.facet_cache import Read
from profiles.fold import Fate, Folded, fold
from profiles.packed import Packed, pack, unpack
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

    def put(self, partition: int, facets: Mapping[str, Facet | Packed]) -> None:
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
        own: dict[str, list[tuple[int, Fact]]] = defaultdict(list)
        for place, fact in enumerate(facts):
            if isinstance(fact, Fact):
                own[fact.identity].append((place, fact))
        facets, stood = await self.facets.load(stream, own)
        fates: dict[int, Fate] = {}
        changed: dict[str, Packed] = {}
        # Identity by identity: what a facet is made of stays in the processor's cache while it is open.
        for identity, told in own.items():
            facet = before = unpack(facets.get(identity, _EMPTY))
            for place, fact in told:
                facet, fates[place] = self.fold(facet, fact)
            if facet is not before:
                changed[identity] = pack(facet)
        outbox: list[OutboxEntry] = []
        for place, (record, fact) in enumerate(zip(records, facts, strict=True)):
            if not isinstance(fact, Fact):
                outbox.append(await self._set_aside(stream, epoch, record, reason="undecodable", detail=fact))
            elif (fate := fates[place]) in ("applied", "repeated"):
                position = Position(epoch, stream.partition, record.offset)
                outbox.extend(self._following(fact, position, is_new=fate == "applied"))
            else:
                outbox.append(await self._set_aside(stream, epoch, record, reason=fate, detail=fact.type))
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
