"""The Faust app: one agent per topic takes frames to their handler, and every failure has a fate.

A handler's exception never reaches Faust, which would count the frame as done: it is tried again with the same frame,
and then the whole worker stops before the next one, with the checkpoints where they are.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import faust
import uvloop
from faust.types import AppT, Message, TransportT
from yarl import URL

from streams.frame import Answer, Checkpoints, Frame, Handler, Stopped
from streams.lanes import Lanes
from streams.ownership import Handed, Ownership
from streams.patience import patiently
from streams.runs import FRAME_RECORDS
from streams.transport import FrameConsumer, FrameTransport
from streams.unfilled import Unfilled

_log = logging.getLogger(__name__)

Companion = Callable[[Ownership], Awaitable[None]]
"""Runs beside the agents as long as the worker does; when it returns or raises, the worker stops as failed."""


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """How a worker reads. Times in seconds.

    `instance_id` makes the group membership static: a worker that comes back within the session takes its partitions
    without waiting. Apache Kafka knows it; the embedded broker does not, so leave it None there. A request may take
    twice a session: the client refuses less than one. `at_once` partitions of a topic are handled at a time; stopped
    ones are looked at again every `look_again_s`. `is_filled_late` tells of a broker that shows a record later than the
    one after it, as the embedded one does (`streams.unfilled`).
    """

    instance_id: str | None = None
    session_timeout_s: float = 6.0
    heartbeat_s: float = 1.0
    rebalance_timeout_s: float = 8.0
    frame_records: int = FRAME_RECORDS
    at_once: int = 4
    buffered_frames: int = 16
    retry_delays_s: Sequence[float] = (0.1, 0.3, 1.0, 3.0, 5.0)
    look_again_s: float = 15.0
    drain_s: float = 5.0
    leave_s: float = 2.0
    is_filled_late: bool = False


class Failure(Exception):
    """Why the worker stops: a sentence without personal data."""


class FrameSchema(faust.Schema[Any, Any]):
    """Hands a frame through as it is: nothing is decoded here, so nothing can be lost in decoding."""

    def loads_key(self, app: AppT, message: Message, **_: Any) -> None:
        """A frame has no key of its own."""

    def loads_value(self, app: AppT, message: Message, **_: Any) -> Any:  # noqa: ARG002
        """The frame itself."""
        return message.value


class StreamApp(faust.App):
    """A Faust app on the batch transport. Made by `build_app`, run by `run_worker`."""

    def __init__(
        self,
        name: str,
        *,
        checkpoints: Checkpoints,
        settings: StreamSettings,
        companions: Sequence[Companion],
        **options: Any,
    ) -> None:
        self.ownership = Ownership()
        self.checkpoints = checkpoints
        self.settings = settings
        self.companions = companions
        self.failure: Failure | None = None
        self.ending = asyncio.Event()
        self.at_rest = asyncio.Event()
        self.at_rest.set()
        self.lanes: list[Lanes] = []
        super().__init__(name, **options)

    async def on_first_start(self) -> None:
        """No tables, so no data folder."""

    def _new_transport(self) -> TransportT:
        return FrameTransport(
            self.conf.broker_consumer,
            self,
            ownership=self.ownership,
            checkpoints=self.checkpoints,
            retry_delays_s=self.settings.retry_delays_s,
            unfilled=Unfilled() if self.settings.is_filled_late else None,
        )

    def _new_producer_transport(self) -> TransportT:
        return self.transport

    def end(self, failure: Failure | None = None) -> None:
        """Begin nothing more and stop the worker; as failed, if a failure is given."""
        if not self.ending.is_set():
            self.ownership.close()
            self.failure = failure
            self.ending.set()

    async def handle(self, handed: Handed, handler: Handler) -> None:
        """Take one frame to its handler and act on the answer; raises nothing but cancellation."""
        if not self.ownership.begin(handed, generation=self.consumer_generation_id):
            return
        self.at_rest.clear()
        try:
            answer = await self._answer(handed, handler)
            if self.ownership.settle(handed, answer) and isinstance(answer, Stopped):
                _log.error("stopped %s: %s", _place(handed.frame), answer.reason)
            if handed.frame.skipped:
                said = "%s: %d offsets hold no record (compacted, or a transaction's)"
                _log.info(said, _place(handed.frame), handed.frame.skipped)
        except Exception as error:  # noqa: BLE001  its fate is to stop the worker
            place = _place(handed.frame)
            _log.error("%s failed for good with %s: the worker stops", place, type(error).__name__)
            self.end(Failure(f"{place} could not be handled: {type(error).__name__}"))
        finally:
            self.ownership.end()
            if self.ownership.idle:
                self.at_rest.set()

    async def _answer(self, handed: Handed, handler: Handler) -> Answer:
        return await patiently(
            lambda: handler(handed.frame),
            what=_place(handed.frame),
            delays_s=self.settings.retry_delays_s,
            on_wait=lambda reason: self.ownership.wait(handed, reason=reason),
        )


def build_app(
    name: str,
    *,
    brokers: Sequence[str],
    routes: Mapping[str, Handler],
    checkpoints: Checkpoints,
    partitions: int,
    settings: StreamSettings | None = None,
    companions: Sequence[Companion] = (),
) -> StreamApp:
    """An app named `name` (its consumer group) that reads each topic of `routes` and hands its frames to the handler.

    `brokers` are `host:port`. The topics must exist: see `admin.ensure_topics`.
    """
    chosen = settings or StreamSettings()
    app = StreamApp(
        name,
        checkpoints=checkpoints,
        settings=chosen,
        companions=companions,
        broker=[URL(f"kafka://{broker}") for broker in brokers],
        topic_partitions=partitions,
        **_faust_settings(chosen),
    )
    for topic, handler in routes.items():
        _route(app, topic=topic, handler=handler)
    return app


def _faust_settings(settings: StreamSettings) -> dict[str, Any]:
    return {
        "broker_commit_interval": 1.0,
        "broker_heartbeat_interval": settings.heartbeat_s,
        "broker_max_poll_interval": 300.0,
        "broker_max_poll_records": settings.frame_records,
        "broker_rebalance_timeout": settings.rebalance_timeout_s,
        "broker_request_timeout": 2 * settings.session_timeout_s,
        "broker_session_timeout": settings.session_timeout_s,
        "consumer_auto_offset_reset": "none",
        "consumer_group_instance_id": settings.instance_id,
        "consumer_metadata_max_age_ms": 30_000,
        "store": "memory://",
        "stream_buffer_maxsize": settings.buffered_frames,
        "stream_wait_empty": False,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }


def _route(app: StreamApp, *, topic: str, handler: Handler) -> None:
    channel = app.topic(topic, schema=FrameSchema(), acks=False)
    lanes = Lanes(lambda handed: app.handle(handed, handler), at_once=app.settings.at_once)
    app.lanes.append(lanes)

    async def take(stream: AsyncIterable[Handed]) -> None:
        async for handed in stream:
            lanes.put(handed)

    app.agent(channel, name=topic, concurrency=1)(take)


def run_worker(app: StreamApp) -> int:
    """Run until SIGTERM or SIGINT (0, the frame in hand finished) or a failure (1); answers the exit status."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(app))


async def serve(app: StreamApp) -> int:
    """The same within a running loop, for an app whose adapters were made in it."""
    loop = asyncio.get_running_loop()
    app.loop = loop
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.end)  # a second signal changes nothing
    app.finalize()
    lasting = [asyncio.create_task(_live(app), name="the app")]
    lasting += [asyncio.create_task(_looking_again(app), name="looking again")]
    lasting += [asyncio.create_task(_lasting(companion, app), name=_name(companion)) for companion in app.companions]
    for task in lasting:
        task.add_done_callback(lambda ended: app.end(_failure_of(ended)))
    await app.ending.wait()
    await _drain(app)
    for lanes in app.lanes:
        await lanes.cut()
    for task in lasting:
        task.cancel()
    await asyncio.gather(*lasting, return_exceptions=True)
    await _leave(app)
    if app.failure is not None:
        _log.error("worker %s stopped: %s", app.conf.id, app.failure)
    return 0 if app.failure is None else 1


async def _live(app: StreamApp) -> None:
    await app.start()
    await app.wait_until_stopped()


async def _looking_again(app: StreamApp) -> None:
    while True:
        await asyncio.sleep(app.settings.look_again_s)
        if app.ownership.stopped():
            await cast("FrameConsumer", app.consumer).look_again()


async def _lasting(companion: Companion, app: StreamApp) -> None:
    await companion(app.ownership)


def _name(companion: Companion) -> str:
    return getattr(companion, "__name__", type(companion).__name__)


def _failure_of(task: asyncio.Task[None]) -> Failure:
    error = None if task.cancelled() else task.exception()
    return Failure(f"{task.get_name()} ended" + (f" with {type(error).__name__}" if error else ""))


async def _drain(app: StreamApp) -> None:
    """Let the frame in hand finish; one that takes longer is cut, and its checkpoint stays where it was."""
    try:
        async with asyncio.timeout(app.settings.drain_s):
            await app.at_rest.wait()
    except TimeoutError:
        _log.warning("a frame took longer than %.1f s to finish and is cut short", app.settings.drain_s)


async def _leave(app: StreamApp) -> None:
    try:
        async with asyncio.timeout(app.settings.leave_s):
            await app.stop()
    except TimeoutError:
        _log.warning("the broker did not let us go within %.1f s", app.settings.leave_s)


def _place(frame: Frame) -> str:
    return f"{frame.topic}[{frame.partition}] {frame.start}..{frame.end}"
