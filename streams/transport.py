"""A Faust transport that hands over each fetched partition batch as one message, from positions that are ours.

Faust acknowledges an event whose agent raised, and costs more than a tenth of a millisecond per message. Here a message
is a frame, nothing is acknowledged, and the client's own position never counts: before each fetch it is moved to where
`Ownership` says the partition goes on. `docs/decisions/0005-the-batch-transport.md` has the reasons.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, cast

import aiokafka
from aiokafka.errors import ConsumerStoppedError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, ConsumerMessage, Message
from mode.threads import ServiceThread, WorkerThread
from yarl import URL

from streams.fetched import frames_of, state_of, take_plain
from streams.frame import Checkpoints
from streams.lag import monotonic_ms
from streams.ownership import FETCH_WAIT_MS, SHORT_LOG_MS, Handed, Key, Ownership, Wanted, gap_reason
from streams.patience import Away
from streams.positions import Positions
from streams.unfilled import LOOKED_FOR_S, Unfilled

_log = logging.getLogger(__name__)

HELD_BACK_S = 0.005

_UNUSED: dict[str, Any] = dict.fromkeys(["headers", "key", "checksum"])
_UNUSED |= dict.fromkeys(["timestamp", "timestamp_type", "serialized_key_size", "serialized_value_size"], 0)
"""What Faust wants to know of a message that a frame says of each record, or nobody reads."""


class _LeavingThread(WorkerThread):
    """Does not keep the process alive: with the broker gone, leaving it would take minutes."""

    def __init__(self, service: ServiceThread, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True


class FrameThread(driver.AIOKafkaConsumerThread):
    """Talks to the broker, in a thread and loop of its own."""

    Worker = _LeavingThread
    consumer: "FrameConsumer"

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # No setting of Faust's reaches these (the first short of its transactions, which are not used).
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer

    async def on_thread_stop(self) -> None:
        coordinator = getattr(self._consumer, "_coordinator", None)
        if coordinator is not None and coordinator.generation == 0:
            # The embedded broker counts from 0, which the client takes for "no member": it would not leave the group.
            coordinator.generation = 1
        await super().on_thread_stop()

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: AbstractSet[TP] | None,
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        """One round: the client moved to our positions, then what came, as `{partition: Handed}`."""
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher  # noqa: SLF001
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        wanted = self.consumer.ownership.wanted()
        # Those held back are asked for again soon: their frames under way may be finished before others bring any.
        patience_s = min(timeout or 0, HELD_BACK_S) if wanted.is_held_back else timeout or 0
        asked = self._moved_to_our_positions(consumer, wanted, active_partitions or set())
        if not asked:
            await asyncio.sleep(patience_s)
            return {}
        take_plain(consumer)
        try:
            with fetcher._subscriptions.fetch_context():  # noqa: SLF001
                records = await fetcher.fetched_records(set(asked), timeout=patience_s, max_records=max_records)
        except OffsetOutOfRangeError as error:
            await self._stop_at_gap(consumer, error)
            return {}
        except NoOffsetForPartitionError:
            return {}  # asked for by the client before it was moved; our positions always have an offset
        self._note_ends(consumer, asked)
        transport, generation = self.consumer.transport, self.app.consumer_generation_id
        frames = frames_of(consumer, asked, records, unfilled=transport.unfilled, generation=generation)
        if records and not frames:
            await asyncio.sleep(LOOKED_FOR_S)
        return frames

    def _moved_to_our_positions(
        self, consumer: aiokafka.AIOKafkaConsumer, wanted: Wanted, active: AbstractSet[TP]
    ) -> dict[TP, tuple[int, int]]:
        """Move the client where it stands elsewhere; answer `{partition: (turn, start)}` of what is to be read."""
        asked = {}
        for tp in active:
            claim = wanted.claims.get(tp)
            state = state_of(consumer, tp)
            if claim is None or state is None:
                continue
            turn, start = claim.turn, claim.next_offset
            if not state.has_valid_position or state.position != start:
                consumer.seek(TopicPartition(*tp), start)
            asked[tp] = (turn, start)
        return asked

    def _note_ends(self, consumer: aiokafka.AIOKafkaConsumer, asked: Collection[TP]) -> None:
        """Remember the log's ends, and stop where the log ends before us; not every broker calls that an error."""
        ownership = self.consumer.ownership
        for tp in asked:
            state, claim = state_of(consumer, tp), ownership.readable(tp)
            if state is None or claim is None:
                continue
            ownership.saw_ends(
                tp,
                high_watermark=state.highwater,
                last_stable_offset=state.lso,
                told_at=state.timestamp,
                now_ms=monotonic_ms(),
            )
            if claim.short_for_ms >= SHORT_LOG_MS:
                self._stop(tp, gap_reason(offset=claim.due, first=0, end=state.highwater))

    def _stop(self, tp: TP, reason: str) -> None:
        if self.consumer.ownership.stop(tp, reason=reason):
            _log.error("stopped %s[%d]: %s", tp.topic, tp.partition, reason)

    async def _stop_at_gap(self, consumer: aiokafka.AIOKafkaConsumer, error: OffsetOutOfRangeError) -> None:
        """The log no longer holds what comes next, or never did: this partition stops, with the size of the gap."""
        for tp, offset in error.args[0].items():
            claim = self.consumer.ownership.readable(tp)
            if claim is None or claim.next_offset != offset:
                continue  # asked for at a position that is no longer ours
            try:
                first, last = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
            except KafkaError as unanswered:
                _log.warning("how large a gap is was not told: %s", type(unanswered).__name__)
                continue  # it is asked for again, and found out of range again
            if first <= claim.due <= last:  # only the record that the log would be known by is gone
                self.consumer.ownership.look_again(tp, turn=claim.turn, start=claim.due)
            else:
                self._stop(tp, gap_reason(offset=claim.due, first=first, end=last))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Tell the broker how far we are. Only lag tools read it, so a refusal costs nothing."""
        consumer = self._ensure_consumer()
        held = self.assignment()
        hints = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items() if tp in held}
        try:
            if hints:
                await consumer.commit(hints)
        except KafkaError as error:
            _log.info("checkpoints not told to the broker: %s", type(error).__name__)
            return False
        return bool(hints)


class FrameConsumer(driver.Consumer):
    """Hands frames to the agents and keeps the positions."""

    transport: "FrameTransport"

    @property
    def ownership(self) -> Ownership:
        """The partitions in this worker's hands."""
        return self.transport.ownership

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return FrameThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.ownership.revoke(revoked)
        await super().on_partitions_revoked(revoked)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Take up every assigned partition at its checkpoint, which is the store's, not the broker's."""
        read = await self._positions().read([Key(*tp) for tp in self.assignment()])
        self.ownership.assign(read.starts, unknown=read.unknown)
        for (topic, partition), reason in read.unknown.items():
            _log.error("stopped %s[%d]: %s", topic, partition, reason)
        return {TP(*key): offset for key, offset in read.starts.items()}

    async def look_again(self) -> None:
        """Give stopped partitions another try; what stopped them may have been mended."""
        turns = self.ownership.stopped()
        read = await self._positions().read([Key(*key) for key in turns])
        for key, start in read.starts.items():
            self.ownership.look_again(key, turn=turns[key], start=start)

    def _positions(self) -> Positions:
        return Positions(
            checkpoints=self.transport.checkpoints,
            firsts=self._firsts,
            retry_delays_s=self.transport.retry_delays_s,
            within_s=self.app.conf.broker_request_timeout / 2,
        )

    async def _firsts(self, keys: Collection[Key]) -> Mapping[Key, int]:
        try:
            firsts = await self.earliest_offsets(*(TP(*key) for key in keys))
        except KafkaError as error:
            raise Away(f"the log's start is not told ({type(error).__name__})") from error
        return {Key(*tp): offset for tp, offset in firsts.items()}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """One round of frames, each handed over only while its turn lasts."""
        fetched, _ = await self._wait_next_records(timeout)
        for tp, handed in cast("Mapping[TP, Handed]", fetched or {}).items():
            if self.should_stop or not self.flow_active:
                return  # what is not handed over is fetched again: only `hand_over` moves our position
            if self.ownership.hand_over(tp, turn=handed.turn, end=handed.frame.end):
                self._read_offset[tp] = None  # Faust would drop what lies behind it, and a seek goes back
                yield tp, self._message(tp, handed)

    def _message(self, tp: TP, handed: Handed) -> Message:
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=handed.frame.end - 1,
            value=cast("bytes", handed),
            tp=tp,
            generation_id=handed.frame.generation,
            **_UNUSED,
        )

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002
        """Tell the broker the checkpoints that moved; a hint for lag tools, called once a second and at the end."""
        moved = {
            TP(*key): offset
            for key, offset in self.ownership.checkpoints().items()
            if self._committed_offset[TP(*key)] != offset
        }
        if not moved or not await self._thread.commit(moved):
            return False
        self._committed_offset.update(moved)
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust only logs here and takes a stopped partition for a stalled one; the watchdog judges instead."""


class SilentProducer(driver.Producer):
    """Never connects: what handlers publish goes through their own producer, acknowledged by all replicas."""

    async def on_start(self) -> None:
        """Open nothing."""

    async def on_stop(self) -> None:
        """Close nothing."""


class FrameTransport(driver.Transport):
    """The driver Faust is given."""

    Consumer = FrameConsumer
    Producer = SilentProducer

    def __init__(
        self,
        url: list[URL],
        app: AppT,
        *,
        ownership: Ownership,
        checkpoints: Checkpoints,
        retry_delays_s: Sequence[float],
        unfilled: Unfilled | None,
    ) -> None:
        super().__init__(url, app)
        self.unfilled = unfilled
        self.ownership = ownership
        self.checkpoints = checkpoints
        self.retry_delays_s = retry_delays_s
