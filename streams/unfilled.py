"""Offsets that a reader is not shown yet.

The embedded broker gives out offsets before it has put the records down: while several append at a time, a reader may
be shown what comes after a batch and not the batch itself, for some milliseconds. On it every offset is a record, so a
frame ends before one that is missing, which is asked for again until it is there.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

_log = logging.getLogger(__name__)

FILLED_WITHIN_S: Final = 30.0
"""A record that is missing for longer does not come any more."""
LOOKED_FOR_S: Final = 0.01


class Cut(NamedTuple):
    """What of a fetch can be handed over: the records, and the offset after them."""

    records: Sequence[Any]
    end: int


@dataclass(slots=True)
class Unfilled:
    """The partitions that wait for a record, each with its offset and since when."""

    within_s: float = FILLED_WITHIN_S
    _waits: dict[tuple[str, int], tuple[int, float]] = field(default_factory=dict)

    def cut(self, key: tuple[str, int], records: Sequence[Any], *, start: int, end: int, now_s: float) -> Cut:
        """What was fetched of `[start, end)` up to the first offset that is missing; that one is waited for.

        Nothing where it is the first. When its time is up it is stepped over, and said.
        """
        if len(records) == end - start:
            self._waits.pop(key, None)
            return Cut(records, end)
        whole = _together(records, start)
        if whole:
            return Cut(records[:whole], start + whole)
        missing, since_s = self._waits.get(key, (-1, now_s))
        if missing != start:
            self._waits[key] = (start, now_s)
            return Cut((), start)
        if now_s - since_s < self.within_s:
            return Cut((), start)
        del self._waits[key]
        following = records[0].offset if records else end
        _log.error("%s[%d]: the offsets from %d to %d never came and are stepped over", *key, start, following - 1)
        whole = _together(records, following)
        return Cut(records[:whole], following + whole)


def _together(records: Sequence[Any], start: int) -> int:
    """How many of the records follow each other from the offset on."""
    return next((n for n, record in enumerate(records) if record.offset != start + n), len(records))
