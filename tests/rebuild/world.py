"""A log, history and a worker in memory, and what a test does to them while facets are rebuilt."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from commands.diff_sides import Comparison, Difference, InUse, Rebuilt, Recounted, Side
from commands.rebuild_fold import Refold, folding
from commands.rebuild_switch import Switch, Switched
from events.epochs import Epoch, LogShape
from events.fact import Fact, encode_fact
from events.history import ArchivedRow
from events.keys import facet_key
from events.partitioning import partition_of
from events.position import Checkpoint, Position, Stream
from profiles.codec import decode_facet
from profiles.facet import Facet
from profiles.facet_cache import FacetCache
from profiles.memory_rebuild import MemoryRebuild
from profiles.memory_store import MemoryStore
from profiles.packed import Packed
from profiles.rebuild import Closed, Origin, RebuildStore
from streams.folding import LogIdentity, StreamFold
from streams.frame import Answer, Frame, Handled, Record
from tests.builders import NOW

TOPIC: Final = "rapport.events"
PARTITIONS: Final = 2
Row = tuple[bytes | None, bytes | None]


class Killed(BaseException):
    """The process ends here, as by kill -9: nothing of it goes on."""


@dataclass
class MemoryPast:
    """History in memory, up to where it was archived; see `commands.rebuild_fold.Past`."""

    rows: dict[tuple[int, int], list[ArchivedRow]] = field(default_factory=dict)
    held_back: int = 0

    def contiguous_end(self, epoch: int, partition: int) -> int:
        return max(len(self.rows.get((epoch, partition), [])) - self.held_back, 0)

    def records(self, epoch: int, partition: int, *, start: int, end: int) -> Iterator[ArchivedRow]:
        kept = self.rows.get((epoch, partition), [])[: self.contiguous_end(epoch, partition)]
        return (row for row in kept if start <= row.offset < end)

    def identities(self, epoch: int, partition: int) -> set[str]:
        kept = self.records(epoch, partition, start=0, end=self.contiguous_end(epoch, partition))
        return {row.key.decode() for row in kept if row.key}


@dataclass
class World:
    """One installation. Facts appended are on the log and in history; `work` lets the worker come to the log's end."""

    partitions: int = PARTITIONS
    store: MemoryStore = field(default_factory=MemoryStore)
    past: MemoryPast = field(default_factory=MemoryPast)
    epochs: list[Epoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open_epoch(self.partitions)

    def open_epoch(self, partitions: int) -> None:
        """A new log, of as many partitions; the one before is folded and archived to its end."""
        if self.epochs:
            left = self.epochs[-1]
            ends = tuple(len(self.past.rows.get((left.epoch, at), [])) for at in range(left.shape.partitions))
            shape, number = left.shape, left.epoch
            self.epochs[-1] = Epoch(epoch=number, topic_id=f"t{number}", shape=shape, first=left.first, end=ends)
        number = len(self.epochs) + 1
        shape = LogShape(partitions=partitions, key_fingerprint="k")
        zeros = (0,) * partitions
        self.epochs.append(Epoch(epoch=number, topic_id=f"t{number}", shape=shape, first=zeros, end=zeros))
        self.partitions = partitions
        self.worker = self.another_worker()

    def another_worker(self) -> StreamFold:
        """A worker that remembers nothing yet."""
        epoch = self.epochs[-1]
        log = LogIdentity(epoch=epoch.epoch, topic_id=epoch.topic_id)
        work = folding(FacetCache(self.store), partitions=self.partitions)
        return StreamFold(app="profiles", topic=TOPIC, log=log, store=self.store, work=work)

    def append(self, facts: Sequence[Fact | Row]) -> None:
        """Put facts, or any key and value, on the log; a key says which partition it lies in."""
        for each in facts:
            key, value = (each.identity.encode(), encode_fact(each)) if isinstance(each, Fact) else each
            where = self.epochs[-1].epoch, partition_of(key or b"", self.partitions)
            rows = self.past.rows.setdefault(where, [])
            rows.append(ArchivedRow(len(rows), NOW, key, value))

    async def work(self, worker: StreamFold | None = None) -> dict[int, Answer]:
        """Let a worker fold to the end of the log; its answers by partition."""
        worker = worker or self.worker
        answers: dict[int, Answer] = {}
        for partition in range(self.partitions):
            rows = self.past.rows.get((self.epochs[-1].epoch, partition), [])
            checkpoint = await self.store.checkpoint(self.stream(partition))
            is_here = checkpoint is not None and checkpoint.epoch == self.epochs[-1].epoch
            start = checkpoint.offset if checkpoint is not None and is_here else 0
            if start < len(rows):
                records = [Record(*row) for row in rows[start:]]
                frame = Frame(
                    topic=TOPIC, partition=partition, generation=1, start=start, end=len(rows), records=records
                )
                answers[partition] = await worker(frame)
        return answers

    async def worked(self) -> None:
        """The same, to its end, whatever was switched meanwhile."""
        for _ in range(3):
            if all(isinstance(answer, Handled) for answer in (await self.work()).values()):
                return
        raise AssertionError("the worker does not get on")

    def stream(self, partition: int) -> Stream:
        return Stream("profiles", TOPIC, partition)

    def refold(self, store: RebuildStore | None = None) -> Refold:
        return Refold(
            store=store or MemoryRebuild(self.store),
            past=self.past,
            epochs=self.epochs,
            topic=TOPIC,
            partitions=self.partitions,
        )

    async def rebuild(self, store: RebuildStore | None = None, *, accept_gap: bool = False) -> list[bool]:
        """Fold anew as far as the checkpoints; whether history reached them."""
        refold, reached = self.refold(store), []
        if not accept_gap:
            refold.require_whole()
        for partition in range(self.partitions):
            standing = await refold.store.standing(self.stream(partition))
            until = standing.checkpoint if isinstance(standing, Closed) else standing
            if until is not None:
                reached.append(await refold.fold(partition, ends=refold.ends(partition, until=until)))
        return reached

    async def switch(self, store: RebuildStore | None = None, *, wait_s: float = 0) -> list[Switched | None]:
        """Put what was rebuilt in place."""
        switch = Switch(refold=self.refold(store), wait_s=wait_s)
        found: dict[int, set[str]] = {}
        async for partition, identity in switch.store.identities("facet"):
            found.setdefault(partition, set()).add(identity)
        return [await switch.switch(at, in_use=found.get(at, set())) for at in range(self.partitions)]

    async def abandon(self) -> None:
        """Drop what was rebuilt."""
        switch = Switch(refold=self.refold())
        for partition in range(self.partitions):
            await switch.call_off(partition)
        left = await self.identities("rebuilt")
        for partition in range(self.partitions):
            await switch.store.forget(partition)
            await switch.store.sweep(partition, sorted(left))

    async def diff(self, *, against: str = "rebuilt", wait_s: float = 0) -> list[Difference]:
        """What differs between the facets in use and the other side."""
        refold = self.refold()
        side: Side = Recounted(refold) if against == "history" else Rebuilt(MemoryRebuild(self.store))
        comparison = Comparison(refold=refold, in_use=InUse(self.store, refold), other=side, wait_s=wait_s)
        names = await self.identities("facet") | await self.identities("rebuilt")
        found: list[Difference] = []
        for partition in range(self.partitions):
            if isinstance(side, Recounted):
                await side.recount(partition, until=await self.store.checkpoint(self.stream(partition)))
                names |= side.sampled(share=1.0)
            mine = {name for name in names if partition_of(name.encode(), self.partitions) == partition}
            found += await comparison.partition(partition, mine)
        return found

    async def identities(self, origin: Origin) -> set[str]:
        return {identity async for _, identity in MemoryRebuild(self.store).identities(origin)}

    def facets(self) -> dict[str, Facet]:
        """The facets in use."""
        keys = (key for key in self.store.values if key.split(":")[2] == "facet")
        return {key.split(":", 3)[3]: decode_facet(self.store.values[key]) for key in keys}

    def plant(self, identity: str, blob: bytes | None) -> None:
        """Change a facet behind everybody's back."""
        key = facet_key(partition_of(identity.encode(), self.partitions), identity)
        if blob is None:
            del self.store.values[key]
        else:
            self.store.values[key] = blob


class Dying:
    """A store whose caller is killed at its n-th write: before it, or just after it was done."""

    def __init__(self, store: RebuildStore, *, at: int, after: bool) -> None:
        self._store = store
        self._left = at
        self._after = after

    async def _write(self, name: str, *words: Any, **named: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Killed
        done = await getattr(self._store, name)(*words, **named)
        if self._left == 0:
            raise Killed
        return done

    async def standing(self, stream: Stream) -> Checkpoint | Closed | None:
        return await self._store.standing(stream)

    async def place(self, partition: int) -> Position | None:
        return await self._store.place(partition)

    async def load(self, partition: int, identities: Collection[str]) -> tuple[Position | None, dict[str, Facet]]:
        return await self._store.load(partition, identities)

    def identities(self, origin: Origin) -> AsyncIterator[tuple[int, str]]:
        return self._store.identities(origin)

    async def change(self, stream: Stream, expected: Checkpoint | Closed | None, following: Closed) -> bool:
        return bool(await self._write("change", stream, expected, following))

    async def reopen(self, stream: Stream, expected: Closed, following: Checkpoint, *, is_done: bool) -> bool:
        return bool(await self._write("reopen", stream, expected, following, is_done=is_done))

    async def add(
        self, partition: int, *, expected: Position | None, following: Position, facets: Mapping[str, Facet | Packed]
    ) -> bool:
        return bool(await self._write("add", partition, expected=expected, following=following, facets=facets))

    async def prune(self, stream: Stream, closed: Closed, identities: Sequence[str]) -> int | None:
        done: int | None = await self._write("prune", stream, closed, identities)
        return done

    async def move(self, stream: Stream, closed: Closed, identities: Sequence[str]) -> int | None:
        done: int | None = await self._write("move", stream, closed, identities)
        return done

    async def forget(self, partition: int) -> None:
        await self._write("forget", partition)

    async def sweep(self, partition: int, identities: Sequence[str]) -> int:
        return int(await self._write("sweep", partition, identities))
