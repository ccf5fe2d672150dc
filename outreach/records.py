"""Where decisions are kept: one write per decision, which also takes of the cap."""

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple, Protocol

from outreach.decision import Decision

Written = Literal["written", "changed", "full"]
"""`changed`: another decision stands there than the one expected, read it again. `full`: the cap is reached."""


class OutreachUnavailable(Exception):
    """The store of decisions or timers did not answer: whether a write stands is unknown, so ask again."""


class Room(NamedTuple):
    """How many decisions of this identity may take of the cap later than `since` (ms), the new one included."""

    messages: int
    since: int


class OutreachRecords(Protocol):
    """Decisions by id and by identity, for 90 days."""

    async def find(self, outreach_id: str) -> Decision | None:
        """The decision of that id."""
        ...

    async def decisions_of(self, identities: Collection[str]) -> list[Decision]:
        """All decisions about the identities, the latest first."""
        ...

    async def write(self, after: Decision, *, before: Decision | None, room: Room | None = None) -> Written:
        """Keep `after` in place of `before` (None: nothing), all or nothing, and let it take of the cap if it does.

        `room` bounds the cap of its identity; None asks for no room.
        """
        ...


class MemoryRecords:
    """Decisions in this process's memory."""

    def __init__(self) -> None:
        self._decisions: dict[str, Decision] = {}

    async def find(self, outreach_id: str) -> Decision | None:
        """See `OutreachRecords`."""
        return self._decisions.get(outreach_id)

    async def decisions_of(self, identities: Collection[str]) -> list[Decision]:
        """See `OutreachRecords`."""
        return latest_first(each for each in self._decisions.values() if each.identity in identities)

    async def write(self, after: Decision, *, before: Decision | None, room: Room | None = None) -> Written:
        """See `OutreachRecords`."""
        if self._decisions.get(after.id) != before:
            return "changed"
        if room is not None and after.takes_of_cap and self._taken(after, room) >= room.messages:
            return "full"
        self._decisions[after.id] = after
        return "written"

    def _taken(self, after: Decision, room: Room) -> int:
        mine = (each for each in self._decisions.values() if each.identity == after.identity and each.id != after.id)
        return sum(each.takes_of_cap and each.at > room.since for each in mine)


def latest_first(decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions in the order they are told in."""
    return sorted(decisions, key=lambda decision: (-decision.at, decision.id))
