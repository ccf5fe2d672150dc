"""What a training starts from: the withdrawals not folded yet, and a history that holds all that were."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from commands.logs import PROFILES
from consent.holds import Holds
from events.history import History
from events.position import Checkpoint, Stream
from profiles.store import ProfileStore

WAIT_S: Final = 60.0
PAUSE_S: Final = 0.1


class HistoryBehind(Exception):
    """History does not hold what is folded, so a withdrawal might be missing in it; the text says what to do."""


async def held_beyond_history(
    *,
    store: ProfileStore,
    holds: Holds,
    history: History,
    topic: str,
    epoch: int,
    partitions: int,
    wait_s: float = WAIT_S,
) -> dict[str, frozenset[str]]:
    """Identity -> purposes of the withdrawals that history may not hold, once it holds all that were folded.

    A hold goes when its withdrawal is folded, while history is written by another worker. Asked in this order, a
    withdrawal that was acknowledged is still held, or lies before a checkpoint that history has passed. `epoch` is the
    log of `topic` that is followed; of earlier ones history has all there will be. HistoryBehind past `wait_s`.
    """
    held: defaultdict[str, set[str]] = defaultdict(set)
    for partition in range(partitions):
        for hold in await holds.waiting(partition):
            held[hold.identity].add(hold.purpose)
    folded = {at: await store.checkpoint(Stream(PROFILES, topic, at)) for at in range(partitions)}
    deadline = time.monotonic() + wait_s
    while behind := await asyncio.to_thread(_behind, history, folded, epoch):
        if time.monotonic() >= deadline:
            raise HistoryBehind(
                f"history lacks facts that are folded, in partitions {behind}: nothing is trained before it has them; "
                "does `rapport worker --app history` run?"
            )
        await asyncio.sleep(PAUSE_S)
    return {identity: frozenset(purposes) for identity, purposes in held.items()}


def _behind(history: History, folded: Mapping[int, Checkpoint | None], epoch: int) -> list[int]:
    """The partitions in which history ends before the checkpoint."""
    return [
        partition
        for partition, checkpoint in folded.items()
        if checkpoint is not None
        and checkpoint.epoch == epoch
        and history.contiguous_end(epoch, partition) < checkpoint.offset
    ]
