"""`rapport diff`: tells whether the facets in use are what history says they are."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from commands.diff_sides import Census, Comparison, Difference, InUse, Rebuilt, Recounted, Side
from commands.options import DataFolderOption, StoreOption
from commands.output import JsonOption, console, emit
from commands.rebuild import Site, site
from commands.rebuild_fold import RebuildRefused
from commands.settings import Settings, settings_of
from profiles.redis_rebuild import RedisRebuild
from profiles.redis_store import RedisStore

LISTED_MAX = 100


class Against(StrEnum):
    """What the facets in use are compared with."""

    REBUILT = "rebuilt"
    HISTORY = "history"


def diff(
    *,
    redis: StoreOption = None,
    data: DataFolderOption = None,
    against: Annotated[
        Against, typer.Option(help="what `rapport rebuild` made, or history folded in memory, one partition at a time")
    ] = Against.REBUILT,
    other: Annotated[str | None, typer.Option("--with", help="URL of another store to compare with instead")] = None,
    sample: Annotated[float, typer.Option(min=0.0, max=1.0, help="the share of identities to compare")] = 1.0,
    json: JsonOption = False,
) -> None:
    """Compare the facets in use with rebuilt ones, with history, or with another store; status 1 if they differ.

    Names pseudonyms and the sections that differ, never what is in them. The service may run: both sides are compared
    at one place in the log.
    """
    settings = settings_of(redis=redis, data=data)
    compared, found = asyncio.run(_compare(settings, against=against, other=other, sample=sample))
    if json:
        emit({"compared": compared, "differences": [each._asdict() for each in found]})
    else:
        _tell(compared, found)
    raise typer.Exit(1 if found else 0)


def _tell(compared: int, found: list[Difference]) -> None:
    if found:
        table = Table("partition", "identity", "how", "sections")
        for each in found[:LISTED_MAX]:
            table.add_row(str(each.partition), each.identity, each.kind, ", ".join(each.sections))
        console.print(table)
    more = f", the first {LISTED_MAX} are listed; `--json` lists all" if len(found) > LISTED_MAX else ""
    console.print(f"{compared} facets compared, {len(found)} differences{more}", highlight=False)


async def _compare(
    settings: Settings, *, against: Against, other: str | None, sample: float
) -> tuple[int, list[Difference]]:
    compared, found = 0, []
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(site(settings))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rapport-diff-")))
        census = Census(folder, share=sample)
        side: Side = Recounted(here.refold)
        if other is not None:
            store = await RedisStore.connect(other, cluster=settings.redis_cluster, partitions=settings.partitions)
            stack.push_async_callback(store.close)
            await census.take(RedisRebuild(store.client).identities("facet"))
            side = InUse(store, here.refold)
        elif against is Against.REBUILT:
            await _require_rebuilt(here)
            await census.take(here.store.identities("rebuilt"))
            side = Rebuilt(here.store)
        await census.take(here.store.identities("facet"))
        comparison = Comparison(refold=here.refold, in_use=InUse(here.live, here.refold), other=side)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            for partition in progress.track(range(settings.partitions), description="comparing"):
                names = census.of(partition)
                if isinstance(side, Recounted):
                    await side.recount(partition, until=await here.checkpoint(partition))
                    names |= side.sampled(share=sample)
                compared += len(names)
                found += await comparison.partition(partition, names)
    return compared, found


async def _require_rebuilt(here: Site) -> None:
    """RebuildRefused where a partition that has facts was not rebuilt."""
    bare = [
        partition
        for partition in range(here.settings.partitions)
        if await here.checkpoint(partition) is not None and await here.store.place(partition) is None
    ]
    if bare:
        raise RebuildRefused(
            f"{len(bare)} partitions are not rebuilt; `rapport rebuild` comes first, or compare `--against history`"
        )
