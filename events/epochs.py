"""Which logs there were: a topic can be made anew, and offsets of one log mean nothing in another.

The list of epochs is kept by the store and by the history folder. Pure: reading and writing it is the callers' matter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from events.fact import FORMAT as FACT_FORMAT
from events.partitioning import PARTITIONER

FIRST_EPOCH: Final = 1


class LogShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must stay the same for facts to keep their identity, place and meaning.

    `key_fingerprint` is `Pseudonyms.fingerprint`.
    """

    partitions: int
    key_fingerprint: str
    partitioner: str = PARTITIONER
    fact_format: int = FACT_FORMAT


class Epoch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One log.

    `first` and `end` are offsets by partition: where it began with us, and the furthest it was seen to reach, which is
    the offset after its last record.
    """

    epoch: int
    topic_id: str
    shape: LogShape
    first: tuple[int, ...]
    end: tuple[int, ...]


class SeenLog(msgspec.Struct, frozen=True, kw_only=True):
    """The log as the broker shows it now, under this installation's settings; `first` and `end` as in `Epoch`.

    An end is None where it is not surely known: the embedded broker names one that is too low when asked for it.
    """

    topic_id: str
    shape: LogShape
    first: tuple[int, ...]
    end: tuple[int | None, ...]


class Missing(msgspec.Struct, frozen=True):
    """Offsets `[start, end)` of a partition."""

    partition: int
    start: int
    end: int

    def __str__(self) -> str:
        return f"partition {self.partition}: {self.start} to {self.end - 1}"


@dataclass(frozen=True, slots=True)
class First:
    """No log was followed yet: this one opens the first epoch."""


@dataclass(frozen=True, slots=True)
class Same:
    """The log followed so far."""

    epoch: Epoch


@dataclass(frozen=True, slots=True)
class AnotherLog:
    """Not the log followed so far; `adopt` decides whether the next epoch may open."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not a log this installation can follow at all."""

    reason: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """The new list of epochs.

    `unfolded` names what history holds of the old log and the profiles do not: it is folded from history before the
    new log is. `lost` names what neither holds; it is empty unless a gap was accepted.
    """

    epochs: tuple[Epoch, ...]
    unfolded: tuple[Missing, ...] = ()
    lost: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class NotAdopted:
    """The next epoch is not opened; `missing` names what history lacks, where that is why."""

    reason: str
    missing: tuple[Missing, ...] = ()


class EpochsUnreadable(ValueError):
    """The stored list of epochs is damaged or of another version."""


def recognise(known: Sequence[Epoch], seen: SeenLog) -> Same | First | AnotherLog | Refused:
    """What the log in front of us is to those followed so far."""
    if (misshapen := _misshapen(seen)) is not None:
        return Refused(misshapen)
    if not known:
        return First()
    current = known[-1]
    if (difference := _difference(current.shape, seen.shape)) is not None:
        return Refused(difference)
    if seen.topic_id != current.topic_id and any(earlier.topic_id == seen.topic_id for earlier in known[:-1]):
        return Refused("an earlier log came back, which was left for another one since")
    if seen.topic_id != current.topic_id:
        return AnotherLog("the topic was made anew: its id is another one")
    for partition, (end, reached) in enumerate(zip(seen.end, current.end, strict=True)):
        if end is not None and end < reached:
            return AnotherLog(f"partition {partition} ends at {end} and was followed to {reached}: the log was cut")
    return Same(current)


def adopt(
    known: Sequence[Epoch],
    seen: SeenLog,
    *,
    archived: Sequence[int],
    checkpoints: Sequence[int],
    accept_gap: bool = False,
) -> Adopted | NotAdopted:
    """Open the next epoch on the log in front of us, if nothing that was folded would be lost by it.

    By partition of the log followed so far: `archived` is where history ends, `checkpoints` the next offset the
    profiles would fold. History must reach the checkpoints, unless the operator accepts the gap.
    """
    match recognise(known, seen):
        case Refused(reason):
            return NotAdopted(reason)
        case Same():
            return NotAdopted("this is the log followed so far; there is nothing to adopt")
        case First():
            return Adopted((_opened(seen, epoch=FIRST_EPOCH),))
        case AnotherLog():
            pass
    lost = _ranges(archived, checkpoints)
    if lost and not accept_gap:
        named = "; ".join(map(str, lost))
        return NotAdopted(f"history does not reach the checkpoint, it lacks {named}", missing=lost)
    current = known[-1]
    reached = zip(current.end, archived, checkpoints, strict=True)
    closed = msgspec.structs.replace(current, end=tuple(max(ends) for ends in reached))
    following = _opened(seen, epoch=current.epoch + 1)
    return Adopted((*known[:-1], closed, following), unfolded=_ranges(checkpoints, archived), lost=lost)


def adopt_cut(
    known: Sequence[Epoch],
    seen: SeenLog,
    *,
    archived: Sequence[int],
    checkpoints: Sequence[int],
    agreed: Mapping[int, int],
    accept_gap: bool = False,
) -> Adopted | NotAdopted:
    """Open the next epoch on the log followed so far, which lost its end in some partitions.

    `archived` and `checkpoints` as in `adopt`. `agreed` says by partition that was cut up to where the log still holds
    what history does: the next epoch begins there, or at the checkpoint before it; in all others at the checkpoint.
    """
    kept = [max(held, agreed.get(partition, at)) for partition, (held, at) in _pairs(archived, checkpoints)]
    lost = _ranges(kept, checkpoints)
    if lost and not accept_gap:
        named = "; ".join(map(str, lost))
        return NotAdopted(f"history does not reach the checkpoint, it lacks {named}", missing=lost)
    ends = {gap.partition: gap.end for gap in lost}
    left = tuple(ends.get(partition, held) for partition, held in enumerate(archived))
    first = tuple(min(at, agreed.get(partition, at)) for partition, at in enumerate(checkpoints))
    closed = msgspec.structs.replace(known[-1], end=left)
    following = msgspec.structs.replace(_opened(seen, epoch=known[-1].epoch + 1), first=first)
    return Adopted((*known[:-1], closed, following), lost=lost)


def next_shape(known: Sequence[Epoch], seen: SeenLog) -> str | None:
    """Why a log may not follow those known under another partition count; None when it may."""
    if (misshapen := _misshapen(seen)) is not None:
        return misshapen
    if any(seen.first) or any(seen.end) or any(epoch.topic_id == seen.topic_id for epoch in known):
        return "the log to go on with must be new and empty"
    return _difference(msgspec.structs.replace(known[-1].shape, partitions=seen.shape.partitions), seen.shape)


def progressed(known: Sequence[Epoch], end: Mapping[int, int]) -> tuple[Epoch, ...]:
    """The list after the current log was seen to reach these offsets."""
    current = known[-1]
    furthest = tuple(max(reached, end.get(partition, 0)) for partition, reached in enumerate(current.end))
    return (*known[:-1], msgspec.structs.replace(current, end=furthest))


def encode_epochs(known: Sequence[Epoch]) -> bytes:
    """JSON for the store and the history folder."""
    return msgspec.json.format(msgspec.json.encode({"version": 1, "epochs": known}), indent=1)


def decode_epochs(raw: bytes | None) -> tuple[Epoch, ...]:
    """The inverse; nothing stored is an empty list, EpochsUnreadable for anything that is not one."""
    if not raw:
        return ()
    try:
        stored = msgspec.json.decode(raw, type=_Stored)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EpochsUnreadable(f"the list of epochs cannot be read: {error}") from error
    if stored.version != 1:
        raise EpochsUnreadable(f"the list of epochs has version {stored.version}, which is not known")
    for before, after in zip(stored.epochs, stored.epochs[1:], strict=False):
        if after.epoch != before.epoch + 1:
            raise EpochsUnreadable(f"epoch {after.epoch} follows epoch {before.epoch}")
    return stored.epochs


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    epochs: tuple[Epoch, ...]


def _opened(seen: SeenLog, *, epoch: int) -> Epoch:
    return Epoch(
        epoch=epoch, topic_id=seen.topic_id, shape=seen.shape, first=seen.first, end=tuple(at or 0 for at in seen.end)
    )


def _misshapen(seen: SeenLog) -> str | None:
    if not len(seen.first) == len(seen.end) == seen.shape.partitions:
        return "not every partition of the log can be seen"
    return None


def _difference(known: LogShape, seen: LogShape) -> str | None:
    """Why facts under the one shape cannot go on under the other."""
    if seen.partitions != known.partitions:
        return (
            f"the topic has {seen.partitions} partitions, the facts so far were spread over {known.partitions}: "
            "another count is a rebuild"
        )
    if seen.partitioner != known.partitioner:
        return f"the partitioner is {seen.partitioner}, the facts so far were spread by {known.partitioner}"
    if seen.key_fingerprint != known.key_fingerprint:
        return "the pseudonym key or a canonical form is another one: everybody would be somebody new"
    if seen.fact_format != known.fact_format:
        return f"this program writes fact format {seen.fact_format}, the log holds format {known.fact_format}"
    return None


def _pairs(starts: Sequence[int], ends: Sequence[int]) -> Iterator[tuple[int, tuple[int, int]]]:
    return enumerate(zip(starts, ends, strict=True))


def _ranges(starts: Sequence[int], ends: Sequence[int]) -> tuple[Missing, ...]:
    pairs = _pairs(starts, ends)
    return tuple(Missing(partition, start, end) for partition, (start, end) in pairs if start < end)
