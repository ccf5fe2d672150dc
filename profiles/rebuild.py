"""Facets folded anew beside those in use, and how they take their place: the contract of the stores, and its rules.

Rebuilt facets stand under keys of their own until their partition is switched. A switch closes the partition's
checkpoint, so that no worker commits; brings the rebuilt facets to exactly that checkpoint; puts them in place; and
opens the checkpoint again under another incarnation, so that every owner drops what it remembers.
"""

import math
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from events.epochs import Epoch, Missing
from events.position import Checkpoint, Position, Stream, decode_checkpoint
from profiles.facet import Facet
from profiles.packed import Packed
from profiles.store import ProfileStoreUnfit

Stage = Literal["catching_up", "replacing", "moved"]
"""How far a switch is. Until `replacing` it can be called off; from there on it is finished.

`moved` is the end of a store whose profiles went to another one.
"""

Origin = Literal["facet", "rebuilt"]
"""The facets in use, or those that were folded anew."""

CLOSED: Final = (
    "rebuilt facets are taking their place; "
    "if no `rapport rebuild --switch` runs, run it again: it goes on where it was"
)
MOVED: Final = "the profiles were moved to another store; stop this process, its settings are those of the old one"


class Closed(msgspec.Struct, frozen=True, array_like=True, tag="closed", forbid_unknown_fields=True):
    """What stands in place of a checkpoint during a switch. It fits no commit, and no program takes it for another."""

    stage: Stage
    checkpoint: Checkpoint


class Leg(NamedTuple):
    """Records to fold: `[start, end)` of one partition of one log."""

    epoch: int
    partition: int
    start: int
    end: int


class RebuildStore(Protocol):
    """Rebuilt facets beside those in use. Every call bears repetition; errors are those of `profiles.store`."""

    async def standing(self, stream: Stream) -> Checkpoint | Closed | None:
        """What stands in place of the checkpoint of the facets in use."""
        ...

    async def change(self, stream: Stream, expected: Checkpoint | Closed | None, following: Closed) -> bool:
        """Close a checkpoint, or go on to the next stage, if `expected` stands there; tell whether it did."""
        ...

    async def reopen(self, stream: Stream, expected: Closed, following: Checkpoint, *, is_done: bool) -> bool:
        """The checkpoint stands again, if `expected` did; with `is_done` the place is forgotten with it."""
        ...

    async def place(self, partition: int) -> Position | None:
        """The next record to fold anew, None where nothing is rebuilt."""
        ...

    async def load(self, partition: int, identities: Collection[str]) -> tuple[Position | None, dict[str, Facet]]:
        """Rebuilt facets that exist, read at one moment with the place."""
        ...

    async def add(
        self, partition: int, *, expected: Position | None, following: Position, facets: Mapping[str, Facet | Packed]
    ) -> bool:
        """Write at most `FACETS_MAX` facets and the place, if the place is the expected one; tell whether it was."""
        ...

    async def prune(self, stream: Stream, closed: Closed, identities: Sequence[str]) -> int | None:
        """Delete facets in use that were not rebuilt; how many, None when `closed` does not stand."""
        ...

    async def move(self, stream: Stream, closed: Closed, identities: Sequence[str]) -> int | None:
        """Put rebuilt facets in place; how many there were, None when `closed` does not stand."""
        ...

    async def forget(self, partition: int) -> None:
        """The place is gone, so that nothing is built upon."""
        ...

    async def sweep(self, partition: int, identities: Sequence[str]) -> int:
        """Delete rebuilt facets of a partition that has no place; how many."""
        ...

    def identities(self, origin: Origin) -> AsyncIterator[tuple[int, str]]:
        """Partition and pseudonym of every facet; one may come twice."""
        ...


def encode_closed(closed: Closed) -> bytes:
    """Compact JSON; the store compares these bytes."""
    return msgspec.json.encode(closed)


def decode_closed(raw: bytes) -> Closed | None:
    """The inverse of `encode_closed`, None for anything else."""
    try:
        return msgspec.json.decode(raw, type=Closed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def moved_from(checkpoint: Checkpoint | None) -> Closed:
    """What stays in an old store; nothing folded is offset 0."""
    return Closed("moved", checkpoint or Checkpoint(epoch=0, offset=0))


def read_standing(raw: bytes | None) -> Checkpoint | Closed | None:
    """What stands in place of a checkpoint; ProfileStoreUnfit when it is neither."""
    if not raw:
        return None
    if (closed := decode_closed(raw)) is not None:
        return closed
    try:
        return decode_checkpoint(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProfileStoreUnfit("what stands in place of a checkpoint cannot be read") from error


def encode_place(place: Position | None) -> bytes:
    """Compact JSON, empty for none; the store compares these bytes."""
    return b"" if place is None else msgspec.json.encode(place)


def decode_place(raw: bytes | None) -> Position | None:
    """The inverse of `encode_place`; ProfileStoreUnfit for anything else."""
    try:
        return msgspec.json.decode(raw, type=Position) if raw else None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProfileStoreUnfit("how far facets were rebuilt cannot be read; `rapport rebuild --abandon`") from error


def sources(partition: int, *, of: int, among: int) -> list[int]:
    """The partitions of a log of `among` in which identities may lie that now belong to `partition` of `of`."""
    step = math.gcd(of, among)
    return [source for source in range(among) if (source - partition) % step == 0]


def whole(
    epochs: Sequence[Epoch], *, partition: int, partitions: int, ends: Mapping[tuple[int, int], int]
) -> list[Leg]:
    """All there is to fold anew of one partition, in the order of the logs.

    `ends`: by epoch and partition of that log, where to stop (none: 0).
    """
    return [
        Leg(epoch.epoch, source, 0, ends.get((epoch.epoch, source), 0))
        for epoch in epochs
        for source in sources(partition, of=partitions, among=epoch.shape.partitions)
    ]


def held_of(legs: Sequence[Leg], archived: Mapping[tuple[int, int], int]) -> list[Leg]:
    """As much of them as history holds."""
    return [leg._replace(end=min(leg.end, archived.get((leg.epoch, leg.partition), 0))) for leg in legs]


def remaining(legs: Sequence[Leg], *, place: Position | None) -> list[Leg]:
    """What of them is left to fold. ValueError when the place is beyond where it should end."""
    reached = place or Position(0, 0, 0)
    left = []
    for leg in legs:
        start = reached.offset if (leg.epoch, leg.partition) == reached[:2] else leg.start
        if start > leg.end:
            raise ValueError("what was rebuilt is ahead of the checkpoint")
        if (leg.epoch, leg.partition) >= reached[:2]:
            left.append(leg._replace(start=start))
    if not left:
        raise ValueError("what was rebuilt is ahead of the checkpoint")
    return left


def ends_of(
    epochs: Sequence[Epoch], checkpoints: Mapping[int, Checkpoint | None], archived: Mapping[tuple[int, int], int]
) -> dict[tuple[int, int], int]:
    """Where folding anew ends, by epoch and partition, so that it holds what the checkpoints have behind them.

    `archived` says up to where history holds everything. A log before the checkpoint's was folded as far as history
    has it, and one of another partition count was folded wholly: both came to their end before the next was opened.
    """
    found = {}
    for epoch in epochs:
        for source in range(epoch.shape.partitions):
            whole = archived.get((epoch.epoch, source), 0)
            checkpoint = checkpoints.get(source)
            if epoch.shape.partitions != epochs[-1].shape.partitions:
                found[epoch.epoch, source] = whole
            elif checkpoint is None or epoch.epoch > checkpoint.epoch:
                found[epoch.epoch, source] = 0
            elif epoch.epoch < checkpoint.epoch:
                found[epoch.epoch, source] = whole
            else:
                # Of a log that was left nothing more will come.
                is_left = epoch.epoch != epochs[-1].epoch
                found[epoch.epoch, source] = min(checkpoint.offset, whole) if is_left else checkpoint.offset
    return found


def gaps(epochs: Sequence[Epoch], archived: Mapping[tuple[int, int], int]) -> list[tuple[int, Missing]]:
    """What logs that were left held and history does not, of the partitions named: epoch and offsets."""
    return [
        (epoch.epoch, Missing(source, held, epoch.end[source]))
        for epoch in epochs[:-1]
        for source in range(epoch.shape.partitions)
        if (held := archived.get((epoch.epoch, source), epoch.end[source])) < epoch.end[source]
    ]
