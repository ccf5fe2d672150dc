"""`rapport log`: which logs were followed, and the opening of the next one."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from commands.lag_board import read_board
from commands.log_cut import adopt_cut_log
from commands.log_gaps import Gap, pass_gaps
from commands.logs import (
    PROFILES,
    LogNotFollowed,
    adopt_log,
    fold_earlier,
    followed_epochs,
    known_epochs,
    log_identities,
    see_log,
)
from commands.options import DataFolderOption, StoreOption
from commands.output import JsonOption, console, emit
from commands.settings import HISTORY, Keyring, Settings, keyring_of, settings_of
from events.epochs import Adopted, AnotherLog, Epoch, Missing, NotAdopted, Same, recognise
from profiles.redis_store import RedisStore
from streams.admin import ensure_topics, wait_for_broker

app = typer.Typer(name="log", no_args_is_help=True, help="The logs this installation followed.")


@app.command()
def show(*, redis: StoreOption = None, data: DataFolderOption = None, json: JsonOption = False) -> None:
    """Show the logs followed so far, one epoch each, and the partitions that are not read now."""
    settings = settings_of(redis=redis, data=data)
    epochs = asyncio.run(_known(settings))
    if json:
        emit(msgspec.to_builtins(epochs))
        return
    table = Table("epoch", "topic id", "partitions", "facts")
    for epoch in epochs:
        table.add_row(str(epoch.epoch), epoch.topic_id, str(epoch.shape.partitions), str(sum(epoch.end)))
    console.print(table)
    for name in (PROFILES, HISTORY):
        for lag in read_board(settings, app=name):
            if lag.stopped:
                console.print(
                    f"{name} stopped {lag.topic}[{lag.partition}]: {lag.stopped}", markup=False, soft_wrap=True
                )


@app.command()
def adopt(
    *,
    kafka: Annotated[str | None, typer.Option("--kafka", help="brokers, host:port")] = None,
    redis: StoreOption = None,
    data: DataFolderOption = None,
    partitions: Annotated[int | None, typer.Option(help="partitions of every topic")] = None,
    accept_gap: Annotated[bool, typer.Option("--accept-gap", help="go on although facts are lost")] = False,
    json: JsonOption = False,
) -> None:
    """Open the next epoch on a topic that was made anew or lost its end, only if history holds all that was folded.

    On the log followed so far: go on behind what it lost before it was read.
    """
    settings = settings_of(kafka=kafka, redis=redis, data=data, partitions=partitions)
    epoch, lost = asyncio.run(_adopt(settings, accept_gap=accept_gap))
    if json:
        emit(msgspec.to_builtins({"epoch": epoch, "lost": lost}))
        return
    console.print(
        f"epoch {epoch} is open; lost: {', '.join(map(str, lost)) or 'nothing'}", markup=False, soft_wrap=True
    )


@app.command()
def follow(
    *,
    accept_gap: Annotated[bool, typer.Option("--accept-gap", help="go on although facts are lost")] = False,
) -> None:
    """Make the topics, and open the next epoch where the log is another one: for a supervisor that owns the broker."""
    asyncio.run(_follow(settings_of(), accept_gap=accept_gap))


async def _follow(settings: Settings, *, accept_gap: bool) -> None:
    await asyncio.to_thread(wait_for_broker, settings.brokers)
    await asyncio.to_thread(ensure_topics, settings.brokers, settings.topics, replication=settings.replication)
    keyring = keyring_of(settings)
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
    try:
        known, seen = await followed_epochs(settings, store), await see_log(settings, keyring=keyring)
        if isinstance(recognise(known, seen), AnotherLog):
            await _opened(settings, keyring=keyring, store=store, accept_gap=accept_gap)
        # Here, so that a log that cannot be followed is told before anything that reads it is started.
        await log_identities(settings, keyring=keyring, store=store)
    finally:
        await store.close()


async def _known(settings: Settings) -> tuple[Epoch, ...]:
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster)
    try:
        return await known_epochs(store)
    finally:
        await store.close()


async def _adopt(settings: Settings, *, accept_gap: bool) -> tuple[int, Sequence[Missing | Gap]]:
    """The epoch that is open now, and what was lost."""
    keyring = keyring_of(settings)
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
    try:
        known, seen = await followed_epochs(settings, store), await see_log(settings, keyring=keyring)
        verdict = recognise(known, seen)
        if isinstance(verdict, Same | AnotherLog) and known[-1].topic_id == seen.topic_id:
            adopted = await adopt_cut_log(settings, store=store, known=known, seen=seen, accept_gap=accept_gap)
            if adopted is not None:
                answer = _or_refused(adopted)
                return answer.epochs[-1].epoch, answer.lost
        if isinstance(verdict, Same):
            logs = await log_identities(settings, keyring=keyring, store=store)
            if await fold_earlier(settings, store, logs[settings.events_topic]):
                return known[-1].epoch, ()
            gaps = await pass_gaps(settings, store=store, logs=logs, epoch=known[-1], accept_gap=accept_gap)
            return known[-1].epoch, gaps
        answer = await _opened(settings, keyring=keyring, store=store, accept_gap=accept_gap)
        return answer.epochs[-1].epoch, answer.lost
    finally:
        await store.close()


async def _opened(settings: Settings, *, keyring: Keyring, store: RedisStore, accept_gap: bool) -> Adopted:
    return _or_refused(await adopt_log(settings, keyring=keyring, store=store, accept_gap=accept_gap))


def _or_refused(answer: Adopted | NotAdopted) -> Adopted:
    if isinstance(answer, NotAdopted):
        raise LogNotFollowed(answer.reason + ("; `--accept-gap` goes on without it" if answer.missing else ""))
    return answer
