"""Rebuilt facets take the place of those in use, one partition after the other, under the eyes of a running service.

A partition's checkpoint is closed meanwhile: its worker waits, and no commit built on the old facets can land. Readers
go on: each facet is replaced at once, by one that holds the same facts. Killed at any point, it is finished by running
it again; what stands in place of the checkpoint says how far it was.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec.structs import replace

from commands.rebuild_fold import RebuildRefused, Refold
from events.position import Checkpoint, Stream
from profiles.rebuild import MOVED, Closed, RebuildStore
from profiles.store import FACETS_MAX

POLL_S: Final = 0.1
TRIES: Final = 1000
NEARER: Final = 2
"""Looks at a checkpoint before it is closed: the first may be far behind, the second is not."""


class Switched(NamedTuple):
    """What a switch did to one partition: facets put in place, and facets in use that history knows nothing of."""

    moved: int
    pruned: int


@dataclass(frozen=True, kw_only=True)
class Switch:
    """Switches partitions. `wait_s` is how long history may take to reach a checkpoint that is closed."""

    refold: Refold
    wait_s: float = 15.0

    @property
    def store(self) -> RebuildStore:
        """Where both kinds of facets are."""
        return self.refold.store

    async def switch(self, partition: int, *, in_use: Collection[str]) -> Switched | None:
        """Put the rebuilt facets of one partition in place; None where nothing is rebuilt.

        `in_use` are the identities that had a facet before this began. RebuildRefused when history does not come up;
        the partition is then as it was.
        """
        stream = self.refold.stream(partition)
        standing = await self.store.standing(stream)
        if standing is None or await self.store.place(partition) is None:
            return None
        closed = standing if isinstance(standing, Closed) else await self._close(stream)
        if closed.stage == "moved":
            raise RebuildRefused(MOVED)
        if closed.stage == "catching_up":
            closed = await self._catch_up(stream, closed)
        known = sorted(self.refold.identities(partition))
        pruned = 0
        for some in _parts(sorted(set(in_use).difference(known))):
            pruned += _held(stream, await self.store.prune(stream, closed, some))
        moved = await self._move(stream, closed, known, following=_opened(closed))
        return Switched(moved, pruned)

    async def move_in(self, partition: int, *, first: Checkpoint) -> int:
        """Put the rebuilt facets of a partition in place where none were in use, and let `first` stand; how many."""
        stream = self.refold.stream(partition)
        standing, closed = await self.store.standing(stream), Closed("replacing", first)
        if standing == first:
            return 0
        if standing is None and not await self.store.change(stream, None, closed):
            raise _taken_over(stream)
        return await self._move(stream, closed, sorted(self.refold.identities(partition)), following=first)

    async def _move(self, stream: Stream, closed: Closed, known: Sequence[str], *, following: Checkpoint) -> int:
        moved = 0
        for some in _parts(known):
            moved += _held(stream, await self.store.move(stream, closed, some))
        if not await self.store.reopen(stream, closed, following, is_done=True):
            raise _taken_over(stream)
        return moved

    async def call_off(self, partition: int) -> bool:
        """Open the checkpoint again as it was, where nothing has been replaced yet; tell whether there was need to.

        RebuildRefused when facets have been replaced already: then the switch must be finished.
        """
        stream = self.refold.stream(partition)
        standing = await self.store.standing(stream)
        if not isinstance(standing, Closed):
            return False
        if standing.stage == "moved":
            raise RebuildRefused(MOVED)
        if standing.stage != "catching_up":
            raise RebuildRefused(
                f"partition {partition} is switched half way; `rapport rebuild --switch` finishes it, nothing is lost"
            )
        return await self.store.reopen(stream, standing, _opened(standing), is_done=False)

    async def _close(self, stream: Stream) -> Closed:
        """Close the checkpoint where it stands, once the rebuilt facets are near."""
        await self._near(stream)
        for _ in range(TRIES):
            standing = await self.store.standing(stream)
            if not isinstance(standing, Checkpoint):
                raise _taken_over(stream)
            closed = Closed("catching_up", standing)
            if await self.store.change(stream, standing, closed):
                return closed
        raise RebuildRefused(f"partition {stream.partition} commits faster than it can be closed; let fewer facts in")

    async def _near(self, stream: Stream) -> None:
        """Have the rebuilt facets where the checkpoint was a moment ago, before anybody is kept waiting."""
        for _ in range(NEARER):
            standing = await self.store.standing(stream)
            if not isinstance(standing, Checkpoint):
                raise _taken_over(stream)
            if not await self._reaches(stream.partition, standing):
                raise _behind(stream)

    async def _catch_up(self, stream: Stream, closed: Closed) -> Closed:
        """Bring the rebuilt facets to exactly the closed checkpoint."""
        if not await self._reaches(stream.partition, closed.checkpoint):
            await self.call_off(stream.partition)
            raise _behind(stream)
        return await self._next(stream, closed, replace(closed, stage="replacing"))

    async def _reaches(self, partition: int, checkpoint: Checkpoint) -> bool:
        """Fold up to a checkpoint, waiting for history; False when it does not come up in time."""
        deadline = time.monotonic() + self.wait_s
        while not await self.refold.fold(partition, ends=self.refold.ends(partition, until=checkpoint)):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def _next(self, stream: Stream, closed: Closed, following: Closed) -> Closed:
        if not await self.store.change(stream, closed, following):
            raise _taken_over(stream)
        return following


def _opened(closed: Closed) -> Checkpoint:
    return replace(closed.checkpoint, incarnation=closed.checkpoint.incarnation + 1)


def _held(stream: Stream, done: int | None) -> int:
    """What was done, if the checkpoint was still closed by us."""
    if done is None:
        raise _taken_over(stream)
    return done


def _parts(identities: Sequence[str]) -> list[Sequence[str]]:
    return [identities[start : start + FACETS_MAX] for start in range(0, len(identities), FACETS_MAX)]


def _behind(stream: Stream) -> RebuildRefused:
    return RebuildRefused(
        f"partition {stream.partition}: history does not reach the checkpoint; "
        "let `rapport worker --app history` run, then switch again"
    )


def _taken_over(stream: Stream) -> RebuildRefused:
    return RebuildRefused(f"partition {stream.partition}: another `rapport rebuild` is at work")
