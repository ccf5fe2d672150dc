"""Starts services in order, keeps them alive, stops them in reverse order and leaves no process behind."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Literal

from embedded.process import Interrupted, Process, describe_exit
from embedded.restart import GiveUp, RestartAt, restart_after
from embedded.service import Service

_WATCH_S = 0.1


@dataclass(frozen=True)
class Happening:
    """Something that became of a service, for whoever shows progress."""

    service: str
    what: Literal["starting", "ready", "crashed", "restarting", "stopping", "stopped", "killed"]
    detail: str = ""


class ServiceLost(Exception):
    """A service ended and is not started again, so the run is over."""


@dataclass
class _Kept:
    """A service that is being kept alive: its process and crashes, when to start it again, by when it must be ready."""

    service: Service
    process: Process
    crashes: list[float] = field(default_factory=list)
    due_s: float | None = None
    ready_by_s: float | None = None


class Supervisor:
    """Runs services until a signal, or until one is lost.

    Use it from the main thread: signals arrive there, and on Linux the children end with the thread that made them.
    """

    def __init__(self, services: Sequence[Service], *, tell: Callable[[Happening], None]) -> None:
        self._services = services
        self._tell = tell
        self._kept: list[_Kept] = []
        self._asked_to_stop = False

    def run(self, *, when_ready: Callable[[], None]) -> None:
        """Start everything, call `when_ready`, stay until SIGINT, SIGTERM or SIGHUP; then stop everything and return.

        Raises NotReady or ServiceLost, after everything was stopped, when a service could not be kept.
        """
        with self._signals_ask_to_stop():
            try:
                self.start()
                when_ready()
                while not self._asked_to_stop:
                    self.tend(now=time.monotonic())
                    time.sleep(_WATCH_S)
            except Interrupted:
                return
            finally:
                self.stop()

    def start(self) -> None:
        """Start the services in order, each once the one before it is ready."""
        for service in self._services:
            if self._asked_to_stop:
                raise Interrupted(service.name)
            self._tell(Happening(service.name, "starting"))
            kept = _Kept(service, Process(service))
            self._kept.append(kept)
            kept.process.wait_ready(called_off=self._look_after_the_others)
            self._tell(Happening(service.name, "ready"))

    def tend(self, *, now: float) -> None:
        """Look after every service once, at `now` on the monotonic clock."""
        self._tend(self._kept, now=now)

    def _look_after_the_others(self) -> bool:
        """While one service starts, those before it may crash; answers whether to stop waiting."""
        self._tend(self._kept[:-1], now=time.monotonic())
        return self._asked_to_stop

    def _tend(self, services: Sequence[_Kept], *, now: float) -> None:
        for kept in services:
            if kept.due_s is not None:
                if now >= kept.due_s:
                    self._start_again(kept, now=now)
            elif kept.process.exit_status is not None:
                if not kept.service.finishes:
                    self._judge(kept, describe_exit(kept.process.exit_status), now=now)
            elif kept.ready_by_s is not None:
                self._look_if_ready(kept, now=now)

    def stop(self) -> None:
        """Stop the services, last started first, each within its own time."""
        with ExitStack() as ending:
            for kept in self._kept:
                ending.callback(self._stop_one, kept)
            self._kept = []

    def _stop_one(self, kept: _Kept) -> None:
        ran = kept.process.exit_status is None
        if ran:
            self._tell(Happening(kept.service.name, "stopping"))
        in_time = kept.process.stop()
        if ran:
            self._tell(Happening(kept.service.name, "stopped" if in_time else "killed"))

    def _judge(self, kept: _Kept, how: str, *, now: float) -> None:
        kept.process.kill()
        kept.crashes.append(now)
        kept.ready_by_s = None
        name = kept.service.name
        self._tell(Happening(name, "crashed", how))
        match restart_after(kept.service.restart, crashes=kept.crashes, now=now):
            case GiveUp(because):
                see = f"; see {kept.service.log}" if kept.service.log else ""
                raise ServiceLost(f"{name} {how}; {because}{see}")
            case RestartAt(time_s):
                kept.due_s = time_s

    def _start_again(self, kept: _Kept, *, now: float) -> None:
        # It is not waited for: what it needs may itself have to be started again first.
        self._tell(Happening(kept.service.name, "restarting"))
        kept.process = Process(kept.service)
        kept.due_s = None
        kept.ready_by_s = now + kept.service.ready_timeout_s

    def _look_if_ready(self, kept: _Kept, *, now: float) -> None:
        if kept.process.is_ready():
            kept.ready_by_s = None
            self._tell(Happening(kept.service.name, "ready"))
        elif kept.ready_by_s is not None and now > kept.ready_by_s:
            self._judge(kept, f"was not ready after {kept.service.ready_timeout_s:g} s", now=now)

    @contextmanager
    def _signals_ask_to_stop(self) -> Iterator[None]:
        def ask(_number: int, _frame: FrameType | None) -> None:
            self._asked_to_stop = True

        before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
