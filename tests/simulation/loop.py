"""An event loop without a clock, a socket or a thread: what runs next is a function of what was asked for, in order.

Time is virtual and jumps to the next timer once nothing is ready. The product's coroutines run on it as they are.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

OWNER: Final[ContextVar[Callable[["asyncio.Task[Any]"], None] | None]] = ContextVar("OWNER", default=None)
"""Who is told of each task that is made in this context; tasks hand it on to those they make."""


class Deadlock(Exception):
    """Nobody is ready and no timer is set, and what was waited for is not done."""


class Call:
    """A callback that is still to be run."""

    __slots__ = ("args", "callback", "context", "is_off")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context) -> None:
        self.callback, self.args, self.context = callback, args, context
        self.is_off = False

    def cancel(self) -> None:
        """It is passed over."""
        self.is_off = True

    def cancelled(self) -> bool:
        """Tell whether it is passed over."""
        return self.is_off


class SimulatedLoop:
    """The few methods of an event loop that tasks, futures, locks and timeouts use."""

    def __init__(self) -> None:
        self.now = 0.0
        self._ready: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call]] = []
        self._set = 0
        self.complaints: list[str] = []

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        call = Call(callback, args, context or copy_context())
        self._ready.append(call)
        return call

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        call = Call(callback, args, context or copy_context())
        self._set += 1
        heapq.heappush(self._timers, (when, self._set, call))
        return call

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast("asyncio.AbstractEventLoop", self))

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any) -> Any:
        task: asyncio.Task[Any] = asyncio.Task(
            coro, loop=cast("asyncio.AbstractEventLoop", self), name=name, context=context
        )
        owner = OWNER.get()
        if owner is not None:
            owner(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """What the product does in a thread is done between two steps."""
        future = self.create_future()
        self.call_soon(_done, future, func, args)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    async def rest(self, seconds: float) -> None:
        """Virtual time passes."""
        rested = self.create_future()
        self.call_later(seconds, lambda: None if rested.done() else rested.set_result(None))
        await rested

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it to its end; Deadlock when nothing can happen any more."""
        asyncio._set_running_loop(cast("asyncio.AbstractEventLoop", self))
        try:
            main: asyncio.Task[T] = self.create_task(coroutine)
            while not main.done():
                self._run_ready()
                self._pass_time()
            return main.result()
        finally:
            asyncio._set_running_loop(None)

    def drain(self) -> None:
        """Let what was cancelled end; no time passes."""
        asyncio._set_running_loop(cast("asyncio.AbstractEventLoop", self))
        try:
            self._run_ready()
        finally:
            asyncio._set_running_loop(None)

    def _run_ready(self) -> None:
        ready = self._ready
        while ready:
            call = ready.popleft()
            if not call.is_off:
                try:
                    call.context.run(call.callback, *call.args)
                except Exception as error:  # noqa: BLE001  no callback ends the loop
                    self.complaints.append(f"a callback failed: {error!r}")

    def _pass_time(self) -> None:
        timers = self._timers
        while timers and timers[0][2].is_off:
            heapq.heappop(timers)
        if not timers:
            raise Deadlock
        self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            self._ready.append(heapq.heappop(timers)[2])


def _done(future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        future.set_result(func(*args))
    except Exception as error:  # noqa: BLE001  whoever waits for it raises it
        future.set_exception(error)
