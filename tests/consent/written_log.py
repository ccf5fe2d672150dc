"""A log in this process: it keeps what was appended, and falls silent when told to."""

from collections.abc import Sequence

from events.admission import Admitted
from events.fact import Fact
from events.log import LogRefused, LogUnavailable
from events.position import Position


class WrittenLog:
    """See `events.log.EventLog`. It takes `takes` more facts (None: any number) and refuses `refused` for good."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.asked = 0
        self.takes: int | None = None
        self.refused: set[str] = set()

    async def append(self, admitted: Sequence[Admitted]) -> list[Position]:
        self.asked += 1
        positions = []
        for item in admitted:
            if item.fact.identity in self.refused:
                raise LogRefused("too large")
            if self.takes is not None and self.takes <= 0:
                raise LogUnavailable("nobody answers")
            self.takes = None if self.takes is None else self.takes - 1
            self.facts.append(item.fact)
            positions.append(Position(0, item.partition, len(self.facts) - 1))
        return positions

    async def publish(self, *, topic: str, key: bytes | None, value: bytes, partition: int) -> int:
        raise LogRefused(f"consent publishes facts only, not to {topic}")
