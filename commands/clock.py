"""The wall clock, read where the program is put together and handed to everything else."""

import time


def now_ms() -> int:
    """Now, in ms since 1970."""
    return time.time_ns() // 1_000_000
