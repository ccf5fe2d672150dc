"""Decisions that were answered: whom they were for and what they held, so that what became of them can be told."""

from typing import Protocol

import msgspec

from recommender.suggestion import Answer


class Decision(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An answer as it is remembered. `identity` is the pseudonym that was asked about; `valid_until` is ms."""

    id: str
    identity: str
    services: tuple[str, ...]
    channel: str | None
    mode: str
    model: str
    catalogue: str
    valid_until: int


class DecisionsUnavailable(Exception):
    """The decisions could not be asked or did not answer."""


class Decisions(Protocol):
    """Where decisions are remembered, for as long as their family of keys says."""

    async def keep(self, decision: Decision) -> None:
        """Remember it; the same one again changes nothing."""
        ...

    async def get(self, decision_id: str) -> Decision | None:
        """The decision, None where it is not known (any more)."""
        ...


class MemoryDecisions:
    """Decisions in this process's memory."""

    def __init__(self) -> None:
        self._decisions: dict[str, Decision] = {}

    async def keep(self, decision: Decision) -> None:
        """See `Decisions`."""
        self._decisions[decision.id] = decision

    async def get(self, decision_id: str) -> Decision | None:
        """See `Decisions`."""
        return self._decisions.get(decision_id)


def decision_of(answer: Answer, *, identity: str) -> Decision:
    """What is remembered of an answer for an identity (a pseudonym)."""
    return Decision(
        id=answer.decision,
        identity=identity,
        services=tuple(suggestion.service for suggestion in answer.suggestions),
        channel=answer.channel,
        mode=answer.mode,
        model=answer.model,
        catalogue=answer.catalogue,
        valid_until=answer.valid_until,
    )
