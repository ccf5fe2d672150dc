"""History folded anew, beside the facets in use: each partition as far as its checkpoint, and no further.

What is folded here was folded once: nothing is published again, no dead letter, release or candidate.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

from commands.clock import now_ms
from commands.logs import PROFILES
from events.epochs import Epoch
from events.history import ArchivedRow
from events.partitioning import partition_of
from events.position import Checkpoint, Position, Stream
from events.sealing import IN_CLEAR, Opens
from profiles.codec import decode_facet
from profiles.facet import Facet
from profiles.facet_cache import Read
from profiles.packed import Packed, pack
from profiles.rebuild import Leg, RebuildStore, ends_of, gaps, held_of, remaining, sources, whole
from profiles.store import FACETS_MAX
from streams.dead_letters import Undertaker
from streams.fold_work import Facets, FoldWork
from streams.frame import Record
from streams.memory_dead_letters import MemoryDeadLetters

HELD_MAX: Final = 50_000
"""Facets held in memory while a partition is folded."""


class RebuildRefused(Exception):
    """Facets cannot be rebuilt or switched to as things stand; the text says why and what to do."""


class Past(Protocol):
    """History as a rebuild needs it; see `events.history.History`."""

    def contiguous_end(self, epoch: int, partition: int) -> int:
        """The offset after the last one archived without a hole."""
        ...

    def records(self, epoch: int, partition: int, *, start: int, end: int) -> Iterable[ArchivedRow]:
        """Everything of `[start, end)` that is still kept."""
        ...

    def identities(self, epoch: int, partition: int) -> set[str]:
        """The pseudonyms in the keys of all records."""
        ...


@dataclass(frozen=True, kw_only=True)
class Refold:
    """Folds history anew. `told` hears how many records were folded, `topic` is the log of facts."""

    store: RebuildStore
    past: Past
    epochs: Sequence[Epoch]
    topic: str
    partitions: int
    sealing: Opens = IN_CLEAR
    told: Callable[[int], None] = lambda _records: None

    def stream(self, partition: int) -> Stream:
        """The stream whose checkpoint says how far the facets in use are folded."""
        return Stream(PROFILES, self.topic, partition)

    def archived(self, partitions: Collection[int]) -> dict[tuple[int, int], int]:
        """Up to where history holds everything of what may concern these partitions, by epoch and partition."""
        return {
            (epoch.epoch, source): self.past.contiguous_end(epoch.epoch, source)
            for epoch in self.epochs
            for source in self._sources(epoch, partitions)
        }

    def require_whole(self) -> None:
        """RebuildRefused when history lacks a part of a log that was left: folded anew, it would be missing."""
        if missing := gaps(self.epochs, self.archived(range(self.partitions))):
            named = "; ".join(f"epoch {epoch}, {gap}" for epoch, gap in missing)
            raise RebuildRefused(f"history lacks {named}; `--accept-gap` rebuilds without it")

    def ends(self, partition: int, *, until: Checkpoint) -> Mapping[tuple[int, int], int]:
        """Where folding anew ends that is to reach a checkpoint; see `profiles.rebuild.ends_of`."""
        return ends_of(self.epochs, {partition: until}, self.archived([partition]))

    async def fold(self, partition: int, *, ends: Mapping[tuple[int, int], int]) -> bool:
        """Bring the rebuilt facets of one partition to these ends; False when history does not reach them yet.

        RebuildRefused when another rebuild works on them, or when they are beyond.
        """
        place = await self.store.place(partition)
        todo, is_whole = self.to_fold(partition, place=place, ends=ends)
        facets = _Building(self.store)
        for leg in todo:
            place = await self._fold(leg, partition, place=place, facets=facets)
        return is_whole

    async def _fold(self, leg: Leg, partition: int, *, place: Position | None, facets: "_Building") -> Position | None:
        work = folding(facets, partitions=self.partitions, sealing=self.sealing)
        stream = self.stream(partition)
        for rows, end in _runs(self._rows(leg, partition), end=leg.end):
            following = Position(leg.epoch, leg.partition, end)
            if following == place:
                continue
            step = await work.step(stream, leg.epoch, rows)
            is_ours = all(seen == place for seen in facets.places)
            if not is_ours or not await self.store.add(
                partition, expected=place, following=following, facets=step.facets
            ):
                raise RebuildRefused(f"partition {partition}: another `rapport rebuild` is at work")
            work.committed(stream, step)
            place = following
            self.told(len(rows))
        return place

    async def carried(
        self,
        partition: int,
        facets: Mapping[str, Facet],
        *,
        legs: Sequence[Leg],
        identities: Collection[str] | None = None,
    ) -> dict[str, Facet]:
        """Facets after the records of these identities (None: of all) in some legs, in memory only."""
        held = Held({identity: pack(facet) for identity, facet in facets.items()})
        work = folding(held, partitions=self.partitions, sealing=self.sealing)
        keys = None if identities is None else {identity.encode() for identity in identities}
        for leg in legs:
            rows = (row for row in self._rows(leg, partition) if keys is None or row.key in keys)
            for some, _ in _runs(rows, end=leg.end):
                step = await work.step(self.stream(partition), leg.epoch, some)
                work.committed(self.stream(partition), step)
        return {identity: decode_facet(packed) for identity, packed in held.packed.items()}

    def to_fold(
        self, partition: int, *, place: Position | None, ends: Mapping[tuple[int, int], int]
    ) -> tuple[list[Leg], bool]:
        """What lies between a place and the ends, as far as history holds it, and whether it holds all of that.

        RebuildRefused when the place is beyond them.
        """
        archived = self.archived([partition])
        legs = whole(self.epochs, partition=partition, partitions=self.partitions, ends=ends)
        held = held_of(legs, archived)
        try:
            left = remaining(held, place=place)
        except ValueError as error:
            why = f"partition {partition}: {error}; `rapport rebuild --abandon`, then begin anew"
            raise RebuildRefused(why) from error
        return left, held == legs

    def identities(self, partition: int) -> set[str]:
        """Whoever has a record in history that may have been folded into this partition."""
        found: set[str] = set()
        for epoch in self.epochs:
            for source in self._sources(epoch, [partition]):
                found |= self.past.identities(epoch.epoch, source)
        return found

    def _sources(self, epoch: Epoch, partitions: Collection[int]) -> list[int]:
        among = epoch.shape.partitions
        return sorted({each for one in partitions for each in sources(one, of=self.partitions, among=among)})

    def _rows(self, leg: Leg, partition: int) -> Iterator[Record]:
        among = next(epoch.shape.partitions for epoch in self.epochs if epoch.epoch == leg.epoch)
        for row in self.past.records(leg.epoch, leg.partition, start=leg.start, end=leg.end):
            if among == self.partitions or _belongs(row.key, partition, self.partitions, leg.partition, among):
                yield Record(*row)


def folding(facets: Facets, *, partitions: int, sealing: Opens = IN_CLEAR) -> FoldWork:
    """The worker's own work on facts, with nothing following from them."""
    return FoldWork(
        facets=facets,
        undertaker=Undertaker(keys=MemoryDeadLetters()),
        candidates=lambda _fact, _position: (),
        clock=now_ms,
        partitions=partitions,
        sealing=sealing,
    )


@dataclass
class Held:
    """Facets in memory and nowhere else; see `streams.fold_work.Facets`."""

    packed: dict[str, Packed] = field(default_factory=dict)

    async def load(self, _stream: Stream, identities: Collection[str]) -> Read:
        """See `Facets`."""
        return Read({name: self.packed[name] for name in identities if name in self.packed})

    def put(self, _partition: int, facets: Mapping[str, Facet | Packed]) -> None:
        """See `Facets`."""
        self.packed.update({identity: pack(facet) for identity, facet in facets.items()})

    def drop(self, _partition: int) -> None:
        """See `Facets`."""
        self.packed.clear()


class _Building(Held):
    """Rebuilt facets of one partition, a bounded number of them in memory; `places` is where they stood when read."""

    def __init__(self, store: RebuildStore) -> None:
        super().__init__()
        self._store = store
        self.places: list[Position | None] = []

    async def load(self, stream: Stream, identities: Collection[str]) -> Read:
        """See `Facets`."""
        held = dict((await super().load(stream, identities)).facets)
        self.places.clear()
        if missing := [name for name in identities if name not in held]:
            place, found = await self._store.load(stream.partition, missing)
            self.places.append(place)
            held |= found
        return Read(held)

    def put(self, partition: int, facets: Mapping[str, Facet | Packed]) -> None:
        """See `Facets`."""
        if len(self.packed) + len(facets) > HELD_MAX:
            self.drop(partition)
        super().put(partition, facets)


def _belongs(key: bytes | None, partition: int, of: int, source: int, among: int) -> bool:
    """Whether a record lay where its key says, and would now lie in `partition` of `of`."""
    return key is not None and partition_of(key, among) == source and partition_of(key, of) == partition


def _runs(records: Iterable[Record], *, end: int) -> Iterator[tuple[Sequence[Record], int]]:
    """Records by as many as one commit takes, each run with the offset the place moves to; at least one run."""
    waiting = iter(records)
    last = list(islice(waiting, FACETS_MAX))
    while run := list(islice(waiting, FACETS_MAX)):
        yield last, run[0].offset
        last = run
    yield last, end
