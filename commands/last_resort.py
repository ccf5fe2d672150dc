"""The end of a process that does not come to it by itself."""

import logging
import os
import sys
import threading
from typing import Final

_log = logging.getLogger(__name__)

END_S: Final = 9.0
EXIT_CUT: Final = 75
"""The exit status of a process that was cut short at its end (sysexits: temporary failure)."""


def end_within(seconds: float = END_S) -> None:
    """End the process by then, whatever a thread or a connection still waits for.

    What is durable stands; what is not is done again by whoever comes next.
    """
    timer = threading.Timer(seconds, _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    _log.error("the worker did not come to its end in time and is cut short")
    sys.stderr.flush()
    os._exit(EXIT_CUT)
