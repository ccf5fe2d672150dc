"""Records in runs that one commit can take."""

from collections.abc import Sequence
from itertools import pairwise

from profiles.store import FACETS_MAX, CommitTooHeavy
from streams.frame import Record

FRAME_RECORDS = 4 * FACETS_MAX
"""Records that make a useful frame. A busy person is in it several times, and written once."""

RUN_BYTES = 8 * 1024 * 1024
"""Values whose effect may be one commit: all of them may become dead letters."""


def chunks(records: Sequence[Record], *, end: int) -> list[tuple[Sequence[Record], int]]:
    """The records in runs that one commit can take, each with the offset its checkpoint moves to.

    A run is about at most `FACETS_MAX` keys, and of at most `FRAME_RECORDS` records and `RUN_BYTES`.
    """
    starts, keys, weight = [0], set[bytes | None](), 0
    for at, record in enumerate(records):
        weight += len(record.value or b"")
        is_beyond = len(keys) == FACETS_MAX and record.key not in keys
        if at > starts[-1] and (is_beyond or at - starts[-1] == FRAME_RECORDS or weight > RUN_BYTES):
            starts.append(at)
            keys, weight = set(), len(record.value or b"")
        keys.add(record.key)
    runs = [records[start:stop] for start, stop in pairwise([*starts, len(records)])]
    ends = [run[0].offset for run in runs[1:]] + [end]
    return list(zip(runs, ends, strict=True))


def halves(records: Sequence[Record], *, end: int) -> list[tuple[Sequence[Record], int]]:
    """A run that is too heavy for one commit as two; CommitTooHeavy for a single record, which cannot be cut."""
    if len(records) < 2:
        raise CommitTooHeavy("the facets of one record are too heavy for a commit")
    middle = len(records) // 2
    return [(records[:middle], records[middle].offset), (records[middle:], end)]
