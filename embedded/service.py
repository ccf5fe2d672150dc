"""What a child process is: how it starts, when it is ready, what its end means, how it is stopped."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded.restart import RestartPolicy


@dataclass(frozen=True, kw_only=True)
class Service:
    """One named child process and the conditions around it.

    `environment` is all the child gets; nothing is inherited. `log` receives both of its outputs, appended; without
    one they are dropped. `ready` is asked until it says yes; without one a started process is ready. `restart` says
    how often a crash is forgiven; without one a crash ends the whole run. A service that `finishes` is a step: it is
    ready once it has exited with status 0. `drained` is waited for before the stop signal is sent, at most
    `drain_timeout_s`; the process then has `stop_timeout_s` before it is killed.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    log: Path | None = None
    ready: Callable[[], bool] | None = None
    ready_timeout_s: float = 30.0
    finishes: bool = False
    restart: RestartPolicy | None = None
    drained: Callable[[], bool] | None = None
    drain_timeout_s: float = 20.0
    stop_timeout_s: float = 10.0
    # Sent by the kernel (Linux) should the supervisor die. A service with children of its own wants SIGTERM here,
    # so that it can end them first.
    orphan_signal: signal.Signals = signal.SIGKILL
