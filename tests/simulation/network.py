"""Processes, and their calls to servers: each call can be lost on the way there or back, be slow, or be the last one.

A call has two ends: the request arrives and takes effect, then the answer arrives. A process can die or fall asleep
before either, and what it sent takes effect all the same.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal

from tests.simulation.loop import OWNER, SimulatedLoop
from tests.simulation.telling import told

FaultName = Literal[
    "lose_request",
    "lose_answer",
    "slow_request",
    "slow_answer",
    "kill_before",
    "kill_after",
    "pause_before",
    "pause_after",
    "rebalance",
    "log_away",
    "copy_store",
    "restore_store",
    "restore_after",
    "lose_store",
    "retain",
    "remake_log",
    "adopt_log",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something goes wrong at the n-th call of a history; `size` in [0, 1) says how badly."""

    call: int
    name: FaultName
    size: float


class Process:
    """Tasks that live, sleep and die together."""

    def __init__(self, name: str, loop: SimulatedLoop) -> None:
        self.name = name
        self.alive = True
        self.asleep = False
        self._loop = loop
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._unread: list[Callable[[], None]] = []

    async def awake(self) -> None:
        """Returns once it does not sleep."""
        if self.asleep:
            await self.rest(0)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run it as a task of this process; those it makes are too."""
        context = copy_context()
        context.run(OWNER.set, self._own)
        return context.run(self._loop.create_task, work)

    def _own(self, task: "asyncio.Task[Any]") -> None:
        self._tasks[task] = None
        task.add_done_callback(lambda ended: self._tasks.pop(ended, None))

    def kill(self) -> None:
        """Nothing of it runs any more. Cancelled tasks can still reach memory of their own, and nothing else."""
        self.alive, self.asleep = False, False
        for task in list(self._tasks):
            task.cancel()
        self._unread.clear()

    def pause(self, for_s: float) -> None:
        """It sleeps; answers wait for it."""
        if self.alive and not self.asleep:
            self.asleep = True
            self._loop.call_later(for_s, self._wake)

    def hear(self, answer: Callable[..., None], *what: Any) -> None:
        """An answer reaches it: now, once it wakes, or never."""
        if self.asleep:
            self._unread.append(lambda: answer(*what))
        elif self.alive:
            answer(*what)

    async def rest(self, seconds: float) -> None:
        """Time passes for this process."""
        woken = self._loop.create_future()
        self._loop.call_later(seconds, self.hear, lambda: None if woken.done() else woken.set_result(None))
        await woken

    def _wake(self) -> None:
        self.asleep = False
        unread, self._unread = self._unread, []
        for answer in unread:
            self.hear(answer)


Happens = Callable[[Fault, Process], None]
_NOBODY: Final = Context()
"""What happens on the way belongs to no process."""
READ_AT_ONE_MOMENT: Final = "store.load_standing"
"""After the next such call `restore_after` happens: facets are read, and then the store goes back."""
LATENCY_S: Final = (0.001, 0.03)
SLOW_S: Final = 5.0


@dataclass
class Network:
    """Carries calls. `faults` are keyed by the number of the call they meet; `happens` sees to those of the world."""

    loop: SimulatedLoop
    chance: Random
    faults: dict[int, Fault]
    happens: Happens
    tell: Callable[[str], None] | None = None
    calls: int = 0
    met: list[Fault] = field(default_factory=list)
    healed: bool = False
    _waits: Fault | None = None

    async def call(
        self, process: Process, what: str, effect: Callable[[], Any], *, unknown: Callable[[], Exception]
    ) -> Any:
        """Carry one call to a server: `effect` happens there, its value or error comes back, or `unknown()` does."""
        if process.asleep:
            await process.awake()
        if not process.alive:
            raise asyncio.CancelledError
        self.calls += 1
        fault = self._met(process, what)
        way = _Way(number=self.calls, process=process, what=what, fault=fault, unknown=unknown)
        answer = self.loop.create_future()
        self.loop.call_later(self._latency(fault, "slow_request"), self._arrive, way, effect, answer, context=_NOBODY)
        _strike(process, fault, kill="kill_before", pause="pause_before")
        return await answer

    def watched(self, look: Callable[[], None]) -> None:
        """Let somebody look at what was done; his failure is not the caller's, who would only try again."""
        try:
            look()
        except Exception as error:  # noqa: BLE001  whatever it is, the history fails by it
            self.loop.complaints.append(f"a watch failed: {error!r}")

    def _met(self, process: Process, what: str) -> Fault | None:
        fault = None if self.healed else self.faults.get(self.calls)
        if fault is not None:
            self.met.append(fault)
            if self.tell is not None:
                self.tell(f"call {self.calls} of {process.name}, {what}: {fault.name} {fault.size:.2f}")
            if fault.name == "restore_after":
                self._waits = fault
            else:
                self.happens(fault, process)
        return fault

    def _arrive(self, way: "_Way", effect: Callable[[], Any], answer: "asyncio.Future[Any]") -> None:
        fault, process = way.fault, way.process
        name = None if fault is None else fault.name
        value, error = None, None
        if name != "lose_request":
            value, error = _outcome(effect)
            if self.tell is not None:
                self.tell(f"{way.number:4} {process.name}: {way.what} -> {_shown(value, error)}")
        if name in ("lose_request", "lose_answer"):
            value, error = None, way.unknown()
        if self._waits is not None and not self.healed and way.what.startswith(READ_AT_ONE_MOMENT):
            waited, self._waits = self._waits, None
            self.happens(waited, process)
        _strike(process, fault, kill="kill_after", pause="pause_after")
        back = self._latency(fault, "slow_answer")
        self.loop.call_later(back, process.hear, _come_back, answer, value, error, context=_NOBODY)

    def _latency(self, fault: Fault | None, slow: FaultName) -> float:
        least, most = LATENCY_S
        usual = least + (most - least) * self.chance.random()
        return usual + SLOW_S * fault.size if fault is not None and fault.name == slow else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One call on its way."""

    number: int
    process: Process
    what: str
    fault: Fault | None
    unknown: Callable[[], Exception]


class Remote:
    """A server's object as a process reaches it: each of its methods is a call."""

    def __init__(
        self,
        target: Any,
        *,
        network: Network,
        process: Process,
        name: str,
        unknown: Callable[[], Exception],
        watch: Callable[[str, tuple[Any, ...], Any], None] | None = None,
        before: Callable[[], None] | None = None,
        seen: Collection[str] = (),
    ) -> None:
        self._target, self._network, self._process, self._name = target, network, process, name
        self._unknown, self._watch, self._before, self._seen = unknown, watch, before, seen

    def __getattr__(self, method: str) -> Any:
        function, network = getattr(self._target, method), self._network
        watch = self._watch if method in self._seen else None
        before = self._before if method in self._seen else None

        def call(*args: Any, **named: Any) -> Any:
            def effect() -> Any:
                if before is not None:
                    before()
                value = at_once(function(*args, **named))
                if watch is not None:
                    network.watched(lambda: watch(method, args or tuple(named.values()), value))
                return value

            what = f"{self._name}.{method}"
            if network.tell is not None:
                what += _arguments(args, named)
            return network.call(self._process, what, effect, unknown=self._unknown)

        self.__dict__[method] = call
        return call


def _strike(process: Process, fault: Fault | None, *, kill: FaultName, pause: FaultName) -> None:
    if fault is not None and fault.name == kill:
        process.kill()
    if fault is not None and fault.name == pause:
        process.pause(SLOW_S * fault.size)


def _come_back(answer: "asyncio.Future[Any]", value: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(value)


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The value of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise AssertionError("something in memory waits")


def _outcome(effect: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return effect(), None
    except Exception as error:  # noqa: BLE001  it travels back to the caller
        return None, error


def _shown(value: Any, error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}" if error is not None else told(value)


def _arguments(args: tuple[Any, ...], named: dict[str, Any]) -> str:
    return "(" + ", ".join([*map(told, args), *(f"{name}={told(value)}" for name, value in named.items())]) + ")"
