"""A simulated transport: what `streams.transport` and `streams.app` do around the product's own `Ownership`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from streams.frame import Answer, Checkpoints, Frame, Handler
from streams.lanes import Lanes
from streams.ownership import Handed, Ownership, gap_reason
from streams.patience import AWAY, tried
from tests.simulation.kafka import Group, Kafka
from tests.simulation.network import Process

RETRY_DELAYS_S: Final = (0.1, 0.3, 1.0)
WAIT_S: Final = 1.0
AT_ONCE: Final = 4
POLL_S: Final = 0.25
HEARTBEAT_S: Final = 0.8
LOOK_AGAIN_S: Final = 3.0
RECORDS_MAX: Final = 5
"""Few records per frame, so that a history has many."""


class LogRemade(Exception):
    """The broker knows the topic under another id than the client does; the client cannot go on."""


class Consumer:
    """Reads what the group assigns, and hands it to the handler of its topic."""

    def __init__(
        self, process: Process, *, kafka: Kafka, group: Group, routes: Mapping[str, Handler], checkpoints: Checkpoints
    ) -> None:
        self.ownership = Ownership()
        self.generation = -1
        self._process, self._kafka, self._group = process, kafka, group
        self._routes, self._checkpoints = routes, checkpoints
        self._remade = kafka.remade
        self._lanes = {topic: self._lanes_of(handler) for topic, handler in routes.items()}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._now: Callable[[], float] = asyncio.get_running_loop().time

    def works(self) -> list["asyncio.Task[None]"]:
        """Begin; every task lasts as long as the process."""
        spawn = self._process.spawn
        return [spawn(self._belong()), spawn(self._fetch()), spawn(self._look_again()), spawn(self._last())]

    def _lanes_of(self, handler: Handler) -> Lanes:
        return Lanes(lambda handed: self._handle(handed, handler), at_once=AT_ONCE)

    async def _last(self) -> None:
        await self._failed

    async def _belong(self) -> None:
        while True:
            self._group.join(self._process.name, now=self._now())
            if self.generation != self._group.generation:
                self.ownership.revoke(list(self.ownership.claims))
                self.generation = generation = self._group.generation
                starts = await self._starts(self._group.assigned(self._process.name))
                if self.generation == generation:
                    self.ownership.assign(starts)
            await self._process.rest(HEARTBEAT_S)

    async def _look_again(self) -> None:
        while True:
            await self._process.rest(LOOK_AGAIN_S)
            turns = self.ownership.stopped()
            for key, start in (await self._starts(list(turns))).items():
                self.ownership.look_again(key, turn=turns[key], start=start)

    async def _starts(self, held: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        starts = {}
        for topic in self._routes:
            partitions = [partition for name, partition in held if name == topic]
            if partitions:
                known = await tried(
                    lambda topic=topic, partitions=partitions: self._checkpoints.committed(topic, partitions),  # type: ignore[misc]
                    what="checkpoints",
                    delays_s=RETRY_DELAYS_S,
                )
                for each in partitions:
                    offset = known[each]
                    starts[topic, each] = self._kafka.at(topic, each).first if offset is None else offset
        return starts

    async def _fetch(self) -> None:
        while True:
            await self._process.rest(POLL_S)
            if self._kafka.away:
                continue
            if self._kafka.remade != self._remade:
                raise LogRemade
            for key, claim in self.ownership.wanted().claims.items():
                self._read(key, turn=claim.turn, start=claim.next_offset)

    def _read(self, key: tuple[str, int], *, turn: int, start: int) -> None:
        held = self._kafka.at(*key)
        if not held.first <= start <= held.end:
            self.ownership.stop(key, reason=gap_reason(offset=start, first=held.first, end=held.end))
            return
        records, end = held.fetched(start, RECORDS_MAX)
        if end == start:
            return
        if records and end > records[-1].offset + 1 and records[-1].offset % 2:
            end = records[-1].offset + 1  # the hole behind it comes as an empty frame of its own
        frame = Frame(
            topic=key[0], partition=key[1], generation=self.generation, start=start, end=end, records=tuple(records)
        )
        if self.ownership.hand_over(key, turn=turn, end=end):
            self._lanes[key[0]].put(Handed(turn=turn, frame=frame))

    async def _handle(self, handed: Handed, handler: Handler) -> None:
        await self._process.awake()
        if not self.ownership.begin(handed, generation=self.generation):
            return
        try:
            self.ownership.settle(handed, await self._answer(handler, handed.frame))
        except Exception as error:  # noqa: BLE001  its fate is to end the process
            if not self._failed.done():
                self._failed.set_exception(error)
        finally:
            self.ownership.end()

    async def _answer(self, handler: Handler, frame: Frame) -> Answer:
        while True:
            try:
                return await tried(lambda: handler(frame), what="a frame", delays_s=RETRY_DELAYS_S)
            except AWAY:
                await self._process.rest(WAIT_S)

    def stopped(self) -> dict[tuple[str, int], str]:
        """The partitions that stand still, and why."""
        return {key: claim.stopped for key, claim in self.ownership.claims.items() if claim.stopped is not None}
