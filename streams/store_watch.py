"""Look whether the store went back in time while a partition had nothing to fold, and go back with it.

Whoever has a frame in hand learns of an older copy by its commit; one at rest would stay ahead of the store until the
next record comes, with what the copy lacks folded nowhere.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from events.position import Checkpoint, Stream
from streams.folding import StreamFold
from streams.frame import Stopped
from streams.ownership import Ownership
from streams.patience import AWAY

_log = logging.getLogger(__name__)

LOOK_S: Final = 3.0

Standing = Callable[[Collection[Stream]], Awaitable[Mapping[Stream, Checkpoint | None]]]
"""The checkpoints that stand in the store now, in one round trip; one of `patience.AWAY` when it does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreWatch:
    """Compares the claims of one worker with the store. `folds` are the handlers of its topics."""

    ownership: Ownership
    app: str
    folds: Mapping[str, StreamFold]
    standing: Standing

    async def run(self, *, every_s: float = LOOK_S) -> None:
        """Until cancelled; a store that does not answer is asked again."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.look()
            except AWAY as error:
                _log.warning("the checkpoints could not be compared: %s", type(error).__name__)

    async def look(self) -> None:
        """Compare once; raises what `standing` does."""
        resting = self.ownership.at_rest()
        streams = {key: Stream(self.app, *key) for key in resting}
        standing = await self.standing(list(streams.values()))
        still = self.ownership.at_rest()
        for key, rest in resting.items():
            if still.get(key) != rest:
                continue  # what came meanwhile finds it out by itself
            topic, partition = key
            answer = self.folds[topic].look(partition, standing[streams[key]], read_to=rest.checkpoint)
            if answer is not None and self.ownership.turn_back(key, answer) and isinstance(answer, Stopped):
                _log.error("stopped %s[%d]: %s", topic, partition, answer.reason)
