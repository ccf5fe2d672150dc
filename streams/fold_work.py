"""Events become profiles: decode, load the facets not held, fold, and say what else follows."""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from events.body_keys import BodyGone, BodyKeysUnavailable, BodyKeyUnknown
from events.fact import Fact, FactUndecodable
from events.partitioning import partition_of
from events.position import Position, Stream
from events.pseudonyms import PSEUDONYM
from events.sealing import IN_CLEAR, Envelope, Opens
from profiles.facet import Facet
from profiles.facet_cache import Read
from profiles.fold import Folded, fold
from profiles.packed import Packed, pack, unpack
from profiles.store import OutboxEntry
from streams.dead_letters import Undertaker
from streams.folding import Step, Unfoldable
from streams.frame import Record
from streams.patience import Away
from streams.settling import encode_release

_log = logging.getLogger(__name__)

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
    sealing: Opens = IN_CLEAR
    fold: Callable[[Facet, Fact], Folded] = fold

    async def step(self, stream: Stream, epoch: int, records: Sequence[Record]) -> Step:
        """Fold the records in order; what cannot be folded becomes a dead letter and harms nothing else.

        What nobody can open any more is passed over, as if it were not there. Away while the keys do not answer;
        Unfoldable where they lack one they should hold.
        """
        own: dict[bytes | None, list[tuple[Record, Envelope]]] = defaultdict(list)
        for record, envelope in zip(records, await self._looked_up(records), strict=True):
            own[record.key].append((record, envelope))
        identities = {key: identity for key in own if (identity := self._identity(key, stream.partition))}
        facets, stood = await self.facets.load(stream, identities.values())
        changed: dict[str, Packed] = {}
        outbox: list[OutboxEntry] = []
        aside: list[_Aside] = []
        gone = 0
        # Person by person and fact by fact: what is at hand stays in the processor's cache.
        for key, told in own.items():
            identity = identities.get(key, "")
            facet = before = unpack(facets.get(identity, _EMPTY))
            for record, envelope in told:
                fact = _opened(envelope, identity)
                if fact is None:
                    gone += 1
                    continue
                if not isinstance(fact, Fact):
                    aside.append(_Aside(record, "undecodable", fact))
                    continue
                facet, fate = self.fold(facet, fact)
                if fate in {"applied", "repeated"}:
                    outbox += self._following(fact, epoch, stream.partition, record.offset, is_new=fate == "applied")
                else:
                    aside.append(_Aside(record, fate, fact.type))
            if facet is not before:
                changed[identity] = pack(facet)
        outbox += [await self._set_aside(stream, epoch, each) for each in aside]
        outbox.sort(key=lambda entry: (entry.offset, entry.index))
        if gone:
            _log.info("partition %d: %d facts are passed over, their keys being destroyed", stream.partition, gone)
        return Step(changed, outbox, stood)

    def committed(self, stream: Stream, step: Step) -> None:
        """See `streams.folding.Work`."""
        self.facets.put(stream.partition, step.facets)

    def dropped(self, stream: Stream) -> None:
        """See `streams.folding.Work`."""
        self.facets.drop(stream.partition)

    async def _looked_up(self, records: Sequence[Record]) -> list[Envelope]:
        try:
            return await self.sealing.looked_up([record.value for record in records])
        except BodyKeysUnavailable as error:
            raise Away(str(error)) from error

    def _identity(self, key: bytes | None, partition: int) -> str | None:
        """The identity a record's key names; None for what is no key of this partition."""
        if key is None or not key.isascii() or partition_of(key, self.partitions) != partition:
            return None
        identity = key.decode("ascii")
        return identity if PSEUDONYM.fullmatch(identity) else None

    def _following(self, fact: Fact, epoch: int, partition: int, offset: int, *, is_new: bool) -> Sequence[OutboxEntry]:
        candidates = self.candidates(fact, Position(epoch, partition, offset)) if is_new else ()
        release = encode_release(fact)
        if not candidates and release is None:
            return ()
        entries = [
            OutboxEntry(offset=offset, index=index, kind="candidate", payload=payload)
            for index, payload in enumerate(candidates, start=1)
        ]
        if release is not None:
            entries.append(OutboxEntry(offset=offset, index=0, kind="release", payload=release))
        return entries

    def _set_aside(self, stream: Stream, epoch: int, aside: "_Aside") -> Awaitable[OutboxEntry]:
        return self.undertaker.entry(
            stream=stream,
            epoch=epoch,
            record=aside.record,
            index=0,
            at=self.clock(),
            reason=aside.reason,
            detail=aside.detail,
        )


class _Aside(NamedTuple):
    record: Record
    reason: str
    detail: str


def _opened(envelope: Envelope, identity: str) -> Fact | str | None:
    """The fact; why there is none; None where there is none any more. Unfoldable."""
    try:
        fact = envelope.fact()
    except FactUndecodable as error:
        return str(error)
    except BodyGone:
        return None
    except BodyKeyUnknown as error:
        raise Unfoldable(str(error)) from error
    return fact if fact.identity == identity else "the record's key or partition is not that of its identity"
