"""Candidates become decisions: the single writer of a person's outreach."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from events.position import Stream
from outreach.candidates import Candidate, CandidateUndecodable, decode_candidate
from outreach.deciding import Decider
from profiles.store import OutboxEntry
from streams.dead_letters import Undertaker
from streams.fold_work import Clock
from streams.folding import Step
from streams.frame import Record

T = TypeVar("T")

AT_ONCE: Final = 16
"""Persons who are looked at at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideWork:
    """The work of `rapport.decisions` in the app `profiles`; see `streams.folding.Work`.

    Decisions are kept before the checkpoint is committed. A crash in between shows the candidates again, and the
    decisions that stand are known again.
    """

    decider: Decider
    undertaker: Undertaker
    clock: Clock

    async def step(self, stream: Stream, epoch: int, records: Sequence[Record]) -> Step:
        """Decide on the candidates, those of one person in order; what is none becomes a dead letter."""
        outbox: list[OutboxEntry] = []
        by_person: dict[str, list[Candidate]] = {}
        for record in records:
            try:
                candidate = decode_candidate(record.value)
            except CandidateUndecodable as error:
                outbox.append(await self._set_aside(stream, epoch, record, detail=str(error)))
            else:
                by_person.setdefault(candidate.person, []).append(candidate)
        await in_parallel(by_person.values(), self._decide)
        return Step(outbox=outbox)

    def committed(self, stream: Stream, step: Step) -> None:
        """Nothing is remembered."""

    def dropped(self, stream: Stream) -> None:
        """Nothing is remembered."""

    async def _decide(self, candidates: Sequence[Candidate]) -> None:
        for candidate in candidates:
            await self.decider.decide(candidate, now=self.clock())

    async def _set_aside(self, stream: Stream, epoch: int, record: Record, *, detail: str) -> OutboxEntry:
        at = self.clock()
        return await self.undertaker.entry(
            stream=stream, epoch=epoch, record=record, index=0, at=at, reason="undecodable", detail=detail
        )


async def in_parallel(items: Iterable[T], do: Callable[[T], Awaitable[None]]) -> None:
    """Do it for all items, a few at a time; when all have come to an end the first failure, if any, is raised."""
    few = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with few:
            await do(item)

    outcomes = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
