"""Two sets of facets compared, partition by partition, while both may be written.

What stands further behind is carried forward in memory, by the facts that history holds in between, so that both are
compared at one place in the log. Only sections are named, never what is in them.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from commands.rebuild_fold import RebuildRefused, Refold
from events.position import Checkpoint, Position
from profiles.facet import Facet, ServiceSection
from profiles.rebuild import RebuildStore
from profiles.store import FACETS_MAX, ProfileStore

WAIT_S: Final = 15.0
POLL_S: Final = 0.1
_canonical = msgspec.msgpack.Encoder(order="deterministic").encode

Kind = Literal["missing", "surplus", "other"]


class Difference(NamedTuple):
    """One identity that is not the same on both sides: `missing` from the second, `surplus` in it, or `other`."""

    partition: int
    identity: str
    kind: Kind
    sections: tuple[str, ...]


class Side(Protocol):
    """One set of facets."""

    async def at(self, partition: int, identities: Sequence[str]) -> tuple[Position | None, dict[str, Facet]]:
        """The facets that exist, and the next record to fold into them."""
        ...


@dataclass(frozen=True)
class InUse:
    """The facets of a store that workers write."""

    store: ProfileStore
    refold: Refold

    async def at(self, partition: int, identities: Sequence[str]) -> tuple[Position | None, dict[str, Facet]]:
        """See `Side`."""
        standing = await self.store.load_standing(self.refold.stream(partition), identities)
        return _place_of(standing.checkpoint, partition), standing.facets


@dataclass(frozen=True)
class Rebuilt:
    """The facets a rebuild has folded anew so far."""

    store: RebuildStore

    async def at(self, partition: int, identities: Sequence[str]) -> tuple[Position | None, dict[str, Facet]]:
        """See `Side`."""
        return await self.store.load(partition, identities)


@dataclass
class Recounted:
    """The facets of one partition at a time, folded from history in memory."""

    refold: Refold
    facets: dict[str, Facet] = field(default_factory=dict)
    place: Position | None = None

    async def recount(self, partition: int, *, until: Checkpoint | None) -> None:
        """Fold a partition from its beginning, as far as history goes towards a checkpoint."""
        self.facets, self.place = {}, None
        if until is None:
            return
        legs, _ = self.refold.to_fold(partition, place=None, ends=self.refold.ends(partition, until=until))
        self.facets = await self.refold.carried(partition, {}, legs=legs)
        self.place = Position(legs[-1].epoch, legs[-1].partition, legs[-1].end)

    def sampled(self, *, share: float) -> set[str]:
        """Whoever was found in history, or the share of them that belongs to the sample."""
        return {name for name in self.facets if is_sampled(name, share=share)}

    async def at(self, _partition: int, identities: Sequence[str]) -> tuple[Position | None, dict[str, Facet]]:
        """See `Side`."""
        return self.place, {name: self.facets[name] for name in identities if name in self.facets}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Compares the facets in use with another side."""

    refold: Refold
    in_use: InUse
    other: Side
    wait_s: float = WAIT_S

    async def partition(self, partition: int, identities: Iterable[str]) -> list[Difference]:
        """What differs of these identities. RebuildRefused when history cannot bring both to one place."""
        doubtful = []
        for some in parts(sorted(identities)):
            _, ours = await self.in_use.at(partition, some)
            _, theirs = await self.other.at(partition, some)
            doubtful += [name for name in some if _sections(ours.get(name), theirs.get(name))]
        found: list[Difference] = []
        for some in parts(doubtful):
            found += await self._at_one_place(partition, some)
        return found

    async def _at_one_place(self, partition: int, identities: Sequence[str]) -> list[Difference]:
        ours_at, ours = await self.in_use.at(partition, identities)
        theirs_at, theirs = await self.other.at(partition, identities)
        if _order(theirs_at) < _order(ours_at):
            theirs = await self._carried(partition, theirs, identities, place=theirs_at, until=ours_at)
        elif _order(ours_at) < _order(theirs_at):
            ours = await self._carried(partition, ours, identities, place=ours_at, until=theirs_at)
        compared = ((name, ours.get(name), theirs.get(name)) for name in identities)
        return [
            Difference(partition, name, _kind(one, another), sections)
            for name, one, another in compared
            if (sections := _sections(one, another))
        ]

    async def _carried(
        self,
        partition: int,
        facets: Mapping[str, Facet],
        identities: Collection[str],
        *,
        place: Position | None,
        until: Position | None,
    ) -> dict[str, Facet]:
        end = Checkpoint(epoch=until.epoch, offset=until.offset) if until is not None else Checkpoint(0, 0)
        deadline = time.monotonic() + self.wait_s
        while True:
            ends = self.refold.ends(partition, until=end)
            legs, is_whole = self.refold.to_fold(partition, place=place, ends=ends)
            if is_whole:
                return await self.refold.carried(partition, facets, identities=identities, legs=legs)
            if time.monotonic() > deadline:
                raise RebuildRefused(f"partition {partition}: history does not reach {until}; let it come up")
            await asyncio.sleep(POLL_S)


class Census:
    """Who has a facet, kept in a folder: one pass over a store, then partition by partition."""

    def __init__(self, folder: Path, *, share: float = 1.0) -> None:
        self._folder = folder
        self._share = share

    async def take(self, found: AsyncIterator[tuple[int, str]]) -> None:
        """Write down all that are found, or the share of them that belongs to the sample."""
        waiting: dict[int, list[str]] = {}
        async for partition, identity in found:
            if not is_sampled(identity, share=self._share):
                continue
            lines = waiting.setdefault(partition, [])
            lines.append(identity)
            if len(lines) >= FACETS_MAX:
                self._write(partition, waiting.pop(partition))
        for partition, lines in waiting.items():
            self._write(partition, lines)

    def of(self, partition: int) -> set[str]:
        """Whoever was found in a partition."""
        path = self._path(partition)
        return set(path.read_text().split()) if path.exists() else set()

    def _write(self, partition: int, lines: Sequence[str]) -> None:
        with self._path(partition).open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def _path(self, partition: int) -> Path:
        return self._folder / str(partition)


def is_sampled(identity: str, *, share: float) -> bool:
    """Whether an identity belongs to a sample of that share: the same ones each time."""
    return zlib.crc32(identity.encode()) < share * 2**32


def parts(identities: Sequence[str]) -> list[Sequence[str]]:
    """By as many as one reading takes."""
    return [identities[start : start + FACETS_MAX] for start in range(0, len(identities), FACETS_MAX)]


def _order(place: Position | None) -> Position:
    return place or Position(0, 0, 0)


def _place_of(checkpoint: Checkpoint | None, partition: int) -> Position | None:
    return None if checkpoint is None else Position(checkpoint.epoch, partition, checkpoint.offset)


def _kind(ours: Facet | None, theirs: Facet | None) -> Kind:
    if theirs is None:
        return "missing"
    return "surplus" if ours is None else "other"


def _sections(ours: Facet | None, theirs: Facet | None) -> tuple[str, ...]:
    """The parts of a facet that are not the same, empty for none; the format it was stored in is no part of it."""
    if ours is None and theirs is None:
        return ()
    if ours is None or theirs is None:
        return ("all",)
    names = [name for name in Facet.__struct_fields__ if name not in {"format", "service"}]
    found = [name for name in names if _differ(getattr(ours, name), getattr(theirs, name))]
    found += [
        f"service.{name}"
        for name in ServiceSection.__struct_fields__
        if _differ(getattr(ours.service, name), getattr(theirs.service, name))
    ]
    return tuple(found)


def _differ(one: object, another: object) -> bool:
    # By their bytes in one order: to Python 1 and True are the same.
    return one is not another and _canonical(one) != _canonical(another)
