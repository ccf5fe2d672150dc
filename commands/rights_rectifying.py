"""Rectification: a wrong fact is taken out of history, and the facet is folded anew as if it had never been.

The owner of the partition puts the new facet in place, if it was made with every fact that is folded by then; else
it is made again. Killed in between, it is simply asked for again.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from commands.rights_facts import right_fact
from events.acts import FACET_CHARACTERS_MAX, Refolded
from events.admission import Admitted
from events.fact import Fact
from events.history import History
from events.log import EventLog
from events.partitioning import partition_of
from events.position import Position
from events.vocabulary import BODIES
from profiles.codec import encode_facet
from profiles.refolding import refolded
from profiles.rights import entries, refolding
from profiles.store import ProfileStore

TRIES: Final = 5


class NotRectified(Exception):
    """The fact could not be taken out; the text says why, and what to do. Nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class Rectification:
    """Takes facts out. `passed` waits until a position is folded and in history; `clock` gives ms."""

    history: History
    log: EventLog
    profiles: ProfileStore
    passed: Callable[[Position], Awaitable[None]]
    partitions: int
    clock: Callable[[], int]

    async def take_out(self, wrong: Position, *, identity: str) -> Position:
        """Take out the fact of an identity (a pseudonym) that stands at a position; where that is noted on the log."""
        fact = await asyncio.to_thread(self._fact_at, wrong, identity)
        for _ in range(TRIES):
            told = await asyncio.to_thread(self._refolding, fact)
            [place] = await self.log.append([Admitted(fact=told, partition=self._partition(identity))])
            await self.passed(place)
            if await self._stands(told):
                await asyncio.to_thread(self.history.remove, wrong.epoch, wrong.partition, [wrong.offset])
                return place
        raise NotRectified("facts of this identity came faster than it could be folded anew; try again")

    def _fact_at(self, position: Position, identity: str) -> Fact:
        epoch, partition, offset = position
        there = {"start": offset, "end": offset + 1}
        if not any(True for _ in self.history.records(epoch, partition, **there)):
            raise NotRectified(f"history holds nothing at {position}, or not yet")
        for _, fact in self.history.facts_between(epoch, partition, **there, types=BODIES):
            if fact.identity == identity and not fact.type.startswith("rights."):
                return fact
        raise NotRectified(f"what stands at {position} is no fact of this person that could be taken out")

    def _refolding(self, wrong: Fact) -> Fact:
        facts = [fact for _, fact in self.history.facts() if fact.identity == wrong.identity]
        facet = refolded(facts, without=[wrong.event_key])
        if len(encode_facet(facet)) * 4 // 3 + 4 > FACET_CHARACTERS_MAX:
            raise NotRectified("the profile of this identity is too large to be folded anew in one piece")
        request = secrets.token_hex(16)
        body: Refolded = refolding(request_id=request, without=[wrong.event_key], facet=facet)
        return right_fact(body, request=request, identity=wrong.identity, now=self.clock())

    async def _stands(self, told: Fact) -> bool:
        found = (await self.profiles.load(self._partition(told.identity), [told.identity])).get(told.identity)
        return found is not None and told.event_key + told.digest in entries(found.recent)

    def _partition(self, identity: str) -> int:
        return partition_of(identity.encode(), self.partitions)
