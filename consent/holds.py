"""Holds: a no takes effect the moment it stands in the store, before it is folded.

A hold carries the fact itself, so that whoever finds it can put the fact on the log; it is released by the fold of
exactly that fact, never by a grant. While it stands every read refuses the purpose.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from consent.purposes import PURPOSES
from events.acts import Closing
from events.fact import Fact, encode_fact


class HoldName(NamedTuple):
    """What tells holds apart. Two noes to different purposes may come under one event key; neither ends the other."""

    identity: str
    purpose: str
    event_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A purpose held closed for one identity until the fact of `event_key` (8 bytes) is folded.

    `fact` is that fact as it goes on the log; `made_at` is when the hold was made (ms).
    """

    identity: str
    purpose: str
    event_key: bytes
    fact: bytes
    made_at: int

    @property
    def name(self) -> HoldName:
        """What tells it apart."""
        return HoldName(self.identity, self.purpose, self.event_key)


def hold_of(fact: Fact) -> Hold | None:
    """The hold a fact asks for; None unless it is a no about a purpose there is, since only that is ever folded."""
    if not isinstance(fact.body, Closing) or fact.body.purpose not in PURPOSES:
        return None
    return Hold(
        identity=fact.identity,
        purpose=fact.body.purpose,
        event_key=fact.event_key,
        fact=encode_fact(fact),
        made_at=fact.received_at,
    )


class ConsentStoreUnavailable(Exception):
    """Holds or act records could not be asked or did not answer: whether a write stands is unknown, so write again.

    A read that meets this is a refusal.
    """


class Holds(Protocol):
    """Where holds stand."""

    async def place(self, holds: Sequence[Hold]) -> None:
        """Let them stand: those of one partition all or none, placing one again changes nothing."""
        ...

    async def of(self, identities: Collection[str]) -> dict[str, frozenset[str]]:
        """The purposes held closed, for each of the identities; an unreadable hold closes them all."""
        ...

    async def release(self, name: HoldName) -> None:
        """End exactly this hold; nothing happens where it does not stand."""
        ...

    async def waiting(self, partition: int) -> list[Hold]:
        """The holds of a partition of `rapport.events`, the oldest first: facts that may not be on the log yet."""
        ...
