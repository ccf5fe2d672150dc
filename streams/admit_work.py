"""What others send becomes facts: admit each record of an intake topic, append the facts, set the rest aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from events.admission import Admission, Admitted, Door, EventRefused
from events.log import LogRefused
from events.position import Stream
from profiles.store import OutboxEntry
from streams.dead_letters import Undertaker
from streams.fold_work import Clock
from streams.folding import Step
from streams.frame import Record

LOG_REFUSED: Final = "log_refused"
"""Why a record was set aside whose facts the log will not take, however often it is asked."""


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
        """Admit the records in order; one that admission or the log refuses becomes a dead letter."""
        admitted: list[Admitted] = []
        origins: list[int] = []
        refused: dict[int, tuple[str, str]] = {}
        for place, record in enumerate(records):
            # When the broker took it is when we heard of it, so a second admission stamps the same time. On a topic
            # that others made it is what the sender's clock says: never later than now, or a time to come would pass
            # for the present and all that happened before it for long past.
            received_at = min(record.timestamp_ms, self.clock())
            answer = self.admission.admit(record.value or b"", door=self.door, received_at=received_at)
            if isinstance(answer, EventRefused):
                refused[place] = (answer.code, answer.detail)
            else:
                admitted.extend(answer)
                origins.extend([place] * len(answer))
        if admitted:
            try:
                await self.log.append(admitted)
            except LogRefused as error:
                # All others were acknowledged.
                refused |= {origins[index]: (LOG_REFUSED, why) for index, why in error.failed.items()}
        return Step(outbox=await self._set_aside(stream, epoch, records, refused))

    async def _set_aside(
        self, stream: Stream, epoch: int, records: Sequence[Record], refused: Mapping[int, tuple[str, str]]
    ) -> list[OutboxEntry]:
        """The dead letters of some records, given by place with reason and detail."""
        return [
            await self.undertaker.entry(
                stream=stream,
                epoch=epoch,
                record=records[place],
                index=0,
                at=self.clock(),
                reason=reason,
                detail=detail,
            )
            for place, (reason, detail) in sorted(refused.items())
        ]

    def committed(self, stream: Stream, step: Step) -> None:
        """Nothing is remembered."""

    def dropped(self, stream: Stream) -> None:
        """Nothing is remembered."""
