"""A model made anew in a process of its own: begun, and asked after, as whoever wants it has more to do meanwhile."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

TRAINING_S: Final = 900.0
AGAIN_S: Final = 60.0
"""How long a training that failed is left alone."""
UNDER_WAY: Final = "a model is being made"


@dataclass(eq=False)
class Retraining:
    """One training at a time. `clock` tells seconds, never going back."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _began: float = field(default=0.0, init=False)
    _again_at: float = field(default=float("-inf"), init=False)

    def ask(self) -> str | None:
        """None once a model was made; else why there is none yet. One is begun where none is under way."""
        now = self.clock()
        if self._child is None:
            if now < self._again_at:
                return "a training failed, and is begun again within a minute"
            self._child = subprocess.Popen(self.argv, env=dict(self.environment), stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
            self._began = now
            return UNDER_WAY
        status = self._child.poll()
        if status is None and now - self._began < TRAINING_S:
            return UNDER_WAY
        self.end()
        if status == 0:
            return None
        self._again_at = now + AGAIN_S
        return "the training failed; the log of this process says why"

    def waited(self) -> bool:
        """Wait for the one that is under way, for its time at most; False where none is."""
        if self._child is None:
            return False
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(TRAINING_S)
        return True

    def end(self) -> None:
        """Leave no process behind."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
