"""What others send becomes facts: admit each record of an intake topic, append the facts, set the rest aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from events.admission import Admission, Admitted, Door, EventRefused
from events.position import Stream
from profiles.store import OutboxEntry
from streams.dead_letters import Undertaker
from streams.fold_work import Clock
from streams.folding import Step
from streams.frame import Record


class Appends(Protocol):
    """The log as admission needs it: returns once every fact is acknowledged by all replicas, else raises."""

    async def append(self, admitted: Sequence[Admitted]) -> object:
        """Append the facts to `rapport.events`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitWork:
    """The work of one intake topic in the app `profiles`; see `streams.folding.Work`.

    Facts are appended before the checkpoint is committed. A crash in between appends them again, and the window of
    known ids in each facet drops the repeats.
    """

    admission: Admission
    door: Door
    log: Appends
    undertaker: Undertaker
    clock: Clock

    async def step(self, stream: Stream, epoch: int, records: Sequence[Record]) -> Step:
        """Admit the records in order; a refused one becomes a dead letter."""
        admitted: list[Admitted] = []
        outbox: list[OutboxEntry] = []
        for record in records:
            # When the broker took it is when we heard of it, so a second admission stamps the same time.
            answer = self.admission.admit(record.value or b"", door=self.door, received_at=record.timestamp_ms)
            if isinstance(answer, EventRefused):
                entry = await self.undertaker.entry(
                    stream=stream,
                    epoch=epoch,
                    record=record,
                    index=0,
                    at=self.clock(),
                    reason=answer.code,
                    detail=answer.detail,
                )
                outbox.append(entry)
            else:
                admitted.extend(answer)
        if admitted:
            await self.log.append(admitted)
        return Step(outbox=outbox)

    def committed(self, stream: Stream, step: Step) -> None:
        """Nothing is remembered."""

    def dropped(self, stream: Stream) -> None:
        """Nothing is remembered."""
