"""Retention: how long facts are kept by the purpose they are kept for, as data; and which key seals which facts.

A key is of one identity, one purpose and one quarter of receipt, so facts age out by the destruction of keys.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import Field, StringConstraints

from consent.purposes import EVENT_PURPOSES, SERVICE
from consent.versioned_data import FILES, DataInvalid
from events.acts import Erased, Refolded
from events.body_keys import EVIDENCE, end_of, period_of
from events.identity import Linked, Unlinked
from events.shape import Shape

DEFAULT_RETENTION: Final = Path(__file__).with_name("retention.yaml")

_KINDS: Final = {
    **EVENT_PURPOSES,
    # They prove who was meant by what was agreed to.
    Linked.event_type: EVIDENCE,
    Unlinked.event_type: EVIDENCE,
    # It carries the profile.
    Refolded.event_type: SERVICE,
}


def kind_of(event_type: str) -> str | None:
    """The purpose whose key seals facts of a type; None for tombstones, which say nothing and outlive every key."""
    return None if event_type == Erased.event_type else _KINDS.get(event_type, SERVICE)


class Term(Shape):
    """How long, and why."""

    months: Annotated[int, Field(strict=True, ge=1, le=1200)]
    because: Annotated[str, StringConstraints(min_length=1, max_length=400)]


class Due(NamedTuple):
    """Keys whose time has come: of one purpose and quarter, since when (ms), and how many."""

    kind: str
    period: str
    since: int
    keys: int


class Retention(Shape):
    """The terms by purpose, of looks at people (None: as of what proves consent), and of evidence about the erased."""

    purposes: dict[str, Term]
    accesses: Term | None = None
    after_erasure: Term

    def due(self, tally: Iterable[tuple[tuple[str, str], int]], *, now: int) -> list[Due]:
        """Which of the keys there are, counted by purpose and quarter, are to be destroyed now (ms); oldest first."""
        found = [
            Due(kind, period, later(end_of(period), months=self._term(kind).months), keys)
            for (kind, period), keys in tally
        ]
        return sorted((each for each in found if each.since <= now), key=lambda each: (each.since, each.kind))

    def facts_before(self, event_type: str, *, now: int) -> int | None:
        """Facts of a type that were received before this moment (ms) are due now (ms); None: they are never."""
        kind = kind_of(event_type)
        return None if kind is None else _ended(self._term(kind), now)

    def looks_before(self, *, now: int) -> int:
        """Looks at people before this moment (ms) are due now (ms)."""
        return _ended(self.accesses or self._term(EVIDENCE), now)

    def evidence_until(self, erased_at: int) -> int:
        """Until when the evidence of somebody who was erased then stays openable (ms)."""
        return later(erased_at, months=self.after_erasure.months)

    def _term(self, kind: str) -> Term:
        return self.purposes.get(kind) or self._longest

    @cached_property
    def _longest(self) -> Term:
        """For a purpose of an earlier version, of which nothing is said any more."""
        return max(self.purposes.values(), key=lambda term: term.months)


def _ended(term: Term, now: int) -> int:
    """The end of the last quarter that was kept for its term."""
    end = end_of(period_of(now))
    while later(end, months=term.months) > now:
        end = later(end, months=-3)
    return end


def load_retention(path: Path = DEFAULT_RETENTION) -> Retention:
    """The terms in a file; DataInvalid where one is missing or of no purpose that facts are kept for."""
    found = FILES.shaped(Retention, FILES.parse(FILES.read(path), name=path.name), name=path.name)
    kept = {kind for each in EVENT_PURPOSES if (kind := kind_of(each)) is not None}
    if missing := sorted(kept - found.purposes.keys()):
        raise DataInvalid(f"{path.name}: no term for {', '.join(missing)}")
    if unknown := sorted(found.purposes.keys() - kept):
        raise DataInvalid(f"{path.name}: no facts are kept for {', '.join(unknown)}")
    return found


def later(moment: int, *, months: int) -> int:
    """The same day (ms) so many months later; the first of the next month where there is no such day."""
    at = datetime.fromtimestamp(moment / 1000, tz=UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    try:
        moved = at.replace(year=year, month=month + 1)
    except ValueError:  # the 29th, 30th or 31st of a shorter month
        year, month = divmod(year * 12 + month + 1, 12)
        moved = at.replace(year=year, month=month + 1, day=1)
    return int(moved.timestamp() * 1000)
