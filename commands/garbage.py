"""How often a process that lives long looks for garbage."""

import gc
from typing import Final

_THRESHOLDS: Final = (50_000, 20, 100)


def look_for_garbage_rarely() -> None:
    """Keep what was loaded out of every search to come, and search less often.

    Facets, facts and answers hold no cycles, so nearly all of them go by counting; the default would walk over tens of
    thousands of them again and again, a fifth of the worker's time. Call it once, when all that stays is there.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
