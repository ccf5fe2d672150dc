"""`rapport rebuild`: facets folded anew from history, beside the running service, and put in place of those in use."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from commands.diff_sides import Census, parts
from commands.logs import followed_epochs
from commands.options import DataFolderOption, StoreOption
from commands.output import JsonOption, console, emit
from commands.rebuild_fold import RebuildRefused, Refold
from commands.rebuild_move import move, stay
from commands.rebuild_switch import Switch
from commands.sealing import opening_of
from commands.settings import Settings, settings_of
from events.history import History
from events.position import Checkpoint
from profiles.rebuild import Closed
from profiles.redis_leases import RedisLeases
from profiles.redis_rebuild import RedisRebuild
from profiles.redis_store import RedisStore


def rebuild(
    *,
    redis: StoreOption = None,
    data: DataFolderOption = None,
    switch: Annotated[bool, typer.Option("--switch", help="put rebuilt facets in place of those in use")] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="drop what was rebuilt")] = False,
    accept_gap: Annotated[bool, typer.Option("--accept-gap", help="rebuild although history lacks facts")] = False,
    source: Annotated[
        str | None, typer.Option("--from", help="move here from the store at this URL: another partition count")
    ] = None,
    source_topics: Annotated[str, typer.Option("--from-topics", help="prefix of that store's topics")] = "rapport",
    json: JsonOption = False,
) -> None:
    """Fold history anew, beside the facets in use; then compare with `rapport diff`; then `--switch`.

    The service may run all the while. Ended at any point, the same command goes on where it was. Nothing is published
    again: no message, no dead letter. What history lacks is named, and nothing is rebuilt without `--accept-gap`.

    For another partition count the service stands still: with `--from`, and the settings of the new store and topics,
    the profiles and all that only the old store knows are brought here; `--from --abandon` goes on there after all.
    """
    if switch and abandon:
        raise typer.BadParameter("either --switch or --abandon")
    settings = settings_of(redis=redis, data=data)
    if source is not None:
        said, text = _moved(settings, source, source_topics, abandon=abandon)
    elif switch:
        said = asyncio.run(_switch(settings, accept_gap=accept_gap))
        text = "{switched} partitions switched: {moved} facets put in place, {pruned} without a past deleted"
    elif abandon:
        said = asyncio.run(_abandon(settings))
        text = "{dropped} rebuilt facets dropped; those in use are as they were"
    else:
        said = asyncio.run(_rebuild(settings, accept_gap=accept_gap))
        text = "{folded} records folded anew in {seconds} s ({per_s}/s)"
        text += "; now `rapport diff`, then `rapport rebuild --switch`"
        text += "; history is behind in {behind} partitions and will be caught up with" if said["behind"] else ""
    if json:
        emit(said)
        return
    console.print(text.format(**said), highlight=False)


def _moved(settings: Settings, source: str, topics: str, *, abandon: bool) -> tuple[dict[str, Any], str]:
    if abandon:
        opened = asyncio.run(stay(settings, source=source, source_prefix=topics))
        return {"opened": opened}, "the old store is open again"
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("folding anew", total=None)
        told = partial(progress.advance, bar)
        said = asyncio.run(move(settings, source=source, source_prefix=topics, told=told))
    return said, "{moved} facets and {copied} other entries are here, in {partitions} partitions; epoch {epoch} is open"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A store, and the folding anew of what is in it."""

    settings: Settings
    live: RedisStore
    refold: Refold

    @property
    def store(self) -> RedisRebuild:
        """Where rebuilt facets are."""
        return RedisRebuild(self.live.client)

    async def require_alike(self) -> None:
        """RebuildRefused while a process works here that counts the partitions otherwise."""
        held = await RedisLeases(self.live.client).held()
        if others := [each for each in held if each.partitions != self.settings.partitions]:
            raise RebuildRefused(f"{', '.join(map(str, others))}: at work here under another partition count; stop it")

    async def checkpoint(self, partition: int) -> Checkpoint | None:
        """How far the facets in use are folded, also while they are switched."""
        standing = await self.store.standing(self.refold.stream(partition))
        return standing.checkpoint if isinstance(standing, Closed) else standing

    async def total(self) -> int:
        """Records that are to be folded anew, about."""
        total = 0
        for partition in range(self.settings.partitions):
            until = await self.checkpoint(partition)
            if until is not None:
                place = await self.store.place(partition)
                ends = self.refold.ends(partition, until=until)
                legs, _ = self.refold.to_fold(partition, place=place, ends=ends)
                total += sum(leg.end - leg.start for leg in legs)
        return total


@asynccontextmanager
async def site(settings: Settings, *, told: Callable[[int], None] = lambda _records: None) -> AsyncIterator[Site]:
    """The installation of these settings; RebuildRefused where its facts are spread over another partition count."""
    live = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
    try:
        epochs = await followed_epochs(settings, live)
        if not epochs:
            raise RebuildRefused("no log was followed yet: there is nothing to rebuild")
        if (count := epochs[-1].shape.partitions) != settings.partitions:
            raise RebuildRefused(
                f"the facts are spread over {count} partitions, the settings say {settings.partitions}"
            )
        refold = Refold(
            store=RedisRebuild(live.client),
            past=History(settings.history),
            epochs=epochs,
            topic=settings.events_topic,
            partitions=settings.partitions,
            sealing=opening_of(settings),
            told=told,
        )
        yield Site(settings=settings, live=live, refold=refold)
    finally:
        await live.close()


async def _rebuild(settings: Settings, *, accept_gap: bool) -> dict[str, Any]:
    started, folded, behind = time.monotonic(), 0, 0
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("folding anew", total=None)

        def told(records: int) -> None:
            nonlocal folded
            folded += records
            progress.advance(bar, records)

        async with site(settings, told=told) as here:
            if not accept_gap:
                here.refold.require_whole()
            await _sweep(here)
            progress.update(bar, total=await here.total())
            for partition in range(settings.partitions):
                if (until := await here.checkpoint(partition)) is not None:
                    ends = here.refold.ends(partition, until=until)
                    behind += not await here.refold.fold(partition, ends=ends)
    seconds = time.monotonic() - started
    return {
        "folded": folded,
        "seconds": round(seconds, 1),
        "per_s": round(folded / seconds),
        "behind": behind,
    }


async def _switch(settings: Settings, *, accept_gap: bool) -> dict[str, Any]:
    switched = moved = pruned = 0
    async with site(settings) as here:
        await here.require_alike()
        if not accept_gap:
            here.refold.require_whole()
        with tempfile.TemporaryDirectory(prefix="rapport-rebuild-") as folder:
            in_use = Census(Path(folder))
            await in_use.take(here.store.identities("facet"))
            for partition in range(settings.partitions):
                done = await Switch(refold=here.refold).switch(partition, in_use=in_use.of(partition))
                if done is not None:
                    switched, moved, pruned = switched + 1, moved + done.moved, pruned + done.pruned
    if not switched:
        raise RebuildRefused("nothing is rebuilt; `rapport rebuild` comes first")
    return {"switched": switched, "moved": moved, "pruned": pruned}


async def _abandon(settings: Settings) -> dict[str, Any]:
    async with site(settings) as here:
        for partition in range(settings.partitions):
            await Switch(refold=here.refold).call_off(partition)
        for partition in range(settings.partitions):
            await here.store.forget(partition)
        return {"dropped": await _sweep(here)}


async def _sweep(here: Site) -> int:
    """Delete rebuilt facets that nothing will be built upon: what an abandoned rebuild left."""
    with tempfile.TemporaryDirectory(prefix="rapport-rebuild-") as folder:
        left = Census(Path(folder))
        await left.take(here.store.identities("rebuilt"))
        dropped = 0
        for partition in range(here.settings.partitions):
            for some in parts(sorted(left.of(partition))):
                dropped += await here.store.sweep(partition, some)
        return dropped
