"""Reading one's own writes: wait, for a bounded time, until the facts a token names are folded."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.refusal import Refusal
from events.position import Position, Stream
from events.tokens import TokenInvalid, decode_token, reached
from profiles.store import ProfileStore

PAUSE_S: Final = 0.02
PAUSE_MAX_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Waits for the profiles of a store. `app` and `topic` name the reading whose checkpoints count."""

    store: ProfileStore
    app: str
    topic: str
    partitions: int
    wait_s: float = 2.0

    async def reach(self, token: str | None) -> None:
        """Return once everything the token names is folded.

        TokenInvalid for a token that is not ours; Refusal when it is not folded in time; errors of the store as they
        are.
        """
        if token is None:
            return
        positions = decode_token(token)
        if any(not 0 <= position.partition < self.partitions for position in positions):
            raise TokenInvalid("the token names a partition there is not")
        try:
            async with asyncio.timeout(self.wait_s):
                await self._until_reached(positions)
        except TimeoutError:
            raise Refusal("not-folded-yet") from None

    async def _until_reached(self, positions: Sequence[Position]) -> None:
        pause = PAUSE_S
        while missing := [position for position in positions if not await self._is_folded(position)]:
            positions = missing
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_MAX_S)

    async def _is_folded(self, position: Position) -> bool:
        checkpoint = await self.store.checkpoint(Stream(self.app, self.topic, position.partition))
        if checkpoint is None:
            return False
        return reached([position], {position.partition: (checkpoint.epoch, checkpoint.offset)})
