"""Work in forks of this process, several at a time, each with a limit to its time."""

import os
import pickle
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")

_HUNG: Final = frozenset({signal.SIGXCPU, signal.SIGKILL})
_PATIENCE: Final = 20
"""A busy machine gives a process the twentieth part of its time."""
_SPACE_MAX: Final = 4 * 1024**3


class Hung(NamedTuple):
    """The work did not end within its time."""

    cpu_s_max: int


class Failed(RuntimeError):
    """A fork ended without an answer."""


class _Running(NamedTuple):
    """A fork; its pipe is closed when it ends."""

    given: Any
    folder: Path
    pipe: int
    cpu_s_max: int
    ends: float


def forked(
    tasks: Iterable[tuple[T, int]], work: Callable[[T], Any], *, jobs: int, loud: bool = False
) -> Iterator[tuple[T, Any]]:
    """Each task, given with its limit of processor seconds, and what `work` answers of it in a fork; `Hung` past that.

    The answers come in the order in which they are ready. Failed when a fork ends in any other way.
    """
    waiting, running = iter(tasks), dict[int, _Running]()
    try:
        while True:
            while len(running) < jobs and (task := next(waiting, None)) is not None:
                pid, started = _started(task, work, loud=loud)
                running[pid] = started
            if not running:
                return
            pid = _first(running)
            yield running[pid].given, _answer(pid, running.pop(pid))
    finally:
        for pid, left in running.items():
            os.kill(pid, signal.SIGKILL)
            _ended(pid, left)
            shutil.rmtree(left.folder, ignore_errors=True)


def _started(task: tuple[Any, int], work: Callable[[Any], Any], *, loud: bool) -> tuple[int, _Running]:
    given, cpu_s_max = task
    folder = Path(tempfile.mkdtemp(prefix="mutant-"))
    pipe, own = os.pipe()
    pid = os.fork()
    if pid:
        os.close(own)
        return pid, _Running(given, folder, pipe, cpu_s_max, time.monotonic() + _PATIENCE * cpu_s_max)
    code = 1
    try:
        _confine(folder, cpu_s_max)
        if not loud:
            _be_silent()
        (folder / "answer").write_bytes(pickle.dumps(work(given)))
        code = 0
    except BaseException as error:  # noqa: BLE001 - the parent raises it
        (folder / "error").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
    finally:
        # Whatever happened, this process must not go on as its parent.
        os._exit(code)


def _first(running: dict[int, _Running]) -> int:
    """The fork that ends first; one whose time is over is ended."""
    pid, next_over = min(running.items(), key=lambda found: found[1].ends)
    pipes = {each.pipe: at for at, each in running.items()}
    ready, _, _ = select.select(list(pipes), [], [], max(0, next_over.ends - time.monotonic()))
    if ready:
        return pipes[ready[0]]
    os.kill(pid, signal.SIGKILL)
    return pid


def _answer(pid: int, each: _Running) -> Any:
    status = _ended(pid, each)
    try:
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _HUNG:
            return Hung(each.cpu_s_max)
        if status:
            said = each.folder / "error"
            raise Failed(said.read_text(encoding="utf-8") if said.exists() else f"status {status}")
        return pickle.loads((each.folder / "answer").read_bytes())  # noqa: S301 - our own fork wrote it
    finally:
        shutil.rmtree(each.folder, ignore_errors=True)


def _ended(pid: int, each: _Running) -> int:
    os.close(each.pipe)
    return os.waitpid(pid, 0)[1]


def _confine(folder: Path, cpu_s_max: int) -> None:
    """Bound time and memory; what is written goes where the parent clears up."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s_max, cpu_s_max + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (_SPACE_MAX, _SPACE_MAX))
    os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.tempdir = str(folder)


def _be_silent() -> None:
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
