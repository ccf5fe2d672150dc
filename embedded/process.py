"""A running service: one process group that is ended whole, even when its parent is killed."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from embedded.service import Service

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.02
# Loaded before any fork: between fork and exec only the call itself may happen.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class NotReady(Exception):
    """A service ended, or let its time pass, before it was ready."""


class Interrupted(Exception):
    """The wait for a service was called off."""


class Process:
    """A service that was started. Start it from a thread that stays: on Linux it ends with the thread that made it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._child = _spawn(service)

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self._child.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._child.poll()

    def wait_ready(self, *, called_off: Callable[[], bool] = lambda: False) -> None:
        """Return once it is ready; NotReady when it ends or its time passes first, Interrupted when called off."""
        service = self.service
        deadline = time.monotonic() + service.ready_timeout_s
        while not self.is_ready():
            if self.exit_status is not None:
                raise NotReady(f"{service.name} {describe_exit(self.exit_status)} before it was ready{_see(service)}")
            if time.monotonic() > deadline:
                raise NotReady(f"{service.name} was not ready after {service.ready_timeout_s:g} s{_see(service)}")
            if called_off():
                raise Interrupted(service.name)
            time.sleep(_POLL_S)

    def is_ready(self) -> bool:
        """Whether it can be used now (for a step: whether it is done)."""
        if self.service.finishes:
            return self.exit_status == 0
        return self.exit_status is None and (self.service.ready is None or self.service.ready())

    def stop(self) -> bool:
        """End the process and whatever is left in its group; True when it ended by itself within its time."""
        try:
            self._wait_drained()
            if self.exit_status is None:
                self._child.terminate()
            self._child.wait(self.service.stop_timeout_s)
        except subprocess.TimeoutExpired:
            return False
        else:
            return True
        finally:
            self.kill()

    def kill(self) -> None:
        """End the whole group at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()

    def _wait_drained(self) -> None:
        drained = self.service.drained or (lambda: True)
        deadline = time.monotonic() + self.service.drain_timeout_s
        while self.exit_status is None and time.monotonic() < deadline and not drained():
            time.sleep(_POLL_S)


@contextlib.contextmanager
def running(service: Service) -> Iterator[Process]:
    """The service, ready, for the length of a `with` block."""
    process = Process(service)
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()


def describe_exit(status: int) -> str:
    """How a process ended, in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _spawn(service: Service) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def end_with_parent() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(service.orphan_signal))
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    with contextlib.ExitStack() as opened:
        output: int = subprocess.DEVNULL
        if service.log is not None:
            service.log.parent.mkdir(parents=True, exist_ok=True)
            output = opened.enter_context(service.log.open("ab")).fileno()
        # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops things in order.
        return subprocess.Popen(
            list(service.argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(service.environment),
            cwd=service.folder,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - it makes system calls only, nothing that needs a lock
        )


def _see(service: Service) -> str:
    return f"; see {service.log}" if service.log else ""
