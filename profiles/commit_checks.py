"""What every store asks of a commit before it sends it, and the ids of outbox entries."""

import itertools
from typing import Final

from events.partitioning import partition_of
from events.position import EPOCH_STRIDE, Checkpoint, Position
from profiles.rebuild import CLOSED, MOVED, Closed, read_standing
from profiles.store import FACETS_MAX, Commit, OutboxEntry, ProfileStoreUnavailable, ProfileStoreUnfit

OUTBOX_AHEAD: Final = (
    "the outbox holds later entries than the checkpoint: "
    "empty the outbox and delete it before a checkpoint is moved back"
)


def check_commit(commit: Commit, *, partitions: int | None) -> None:
    """ValueError when a commit is too large, reaches into another partition, or its entries are out of order.

    `partitions` is how many there are; without it identities are not asked where they belong.
    """
    if len(commit.facets) > FACETS_MAX:
        raise ValueError(f"a commit writes at most {FACETS_MAX} facets, this one {len(commit.facets)}")
    if partitions is not None:
        partition = commit.stream.partition
        foreign = sum(partition_of(identity.encode(), partitions) != partition for identity in commit.facets)
        if foreign:
            raise ValueError(f"{foreign} facets belong to another partition than {partition} of {partitions}")
    _check_entries(commit)


def _check_entries(commit: Commit) -> None:
    places = [(entry.offset, entry.index) for entry in commit.outbox]
    if not places:
        return
    if any(later <= earlier for earlier, later in itertools.pairwise(places)):
        raise ValueError("outbox entries stand in the order of offset and index, each once")
    has_start = commit.expected is not None and commit.expected.epoch == commit.next.epoch
    start = commit.expected.offset if commit.expected is not None and has_start else 0
    if places[0][0] < start or places[-1][0] >= commit.next.offset:
        raise ValueError("an outbox entry comes from a record between the two checkpoints")


def entry_id(commit: Commit, entry: OutboxEntry) -> str:
    """The entry's place in the outbox: grows with the log, and 0-0 is never used."""
    position = Position(commit.next.epoch, commit.stream.partition, entry.offset + 1)
    return f"{position.ordinal}-{entry.index}"


def entry_order(entry_id: str) -> tuple[int, int]:
    """What ids are compared by."""
    ordinal, index = entry_id.split("-")
    return int(ordinal), int(index)


def entry_place(entry_id: str) -> tuple[int, int]:
    """(offset, index) of an id."""
    ordinal, index = entry_order(entry_id)
    return (ordinal - 1) % EPOCH_STRIDE, index


def read_checkpoint(raw: bytes | None) -> Checkpoint | None:
    """The checkpoint that stands in a store, None for none.

    ProfileStoreUnavailable while a rebuild has closed it, ProfileStoreUnfit when the profiles were moved to another
    store, or when it is something else.
    """
    standing = read_standing(raw)
    if isinstance(standing, Closed):
        raise ProfileStoreUnfit(MOVED) if standing.stage == "moved" else ProfileStoreUnavailable(CLOSED)
    return standing
