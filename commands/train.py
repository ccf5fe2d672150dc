"""`rapport train`: make a model from permitted history, once or again and again."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from commands.clock import now_ms
from commands.lease import leased
from commands.ledger import signers_of, text_of
from commands.logs import known_epochs
from commands.opened_history import history_of
from commands.options import DataFolderOption, StoreOption
from commands.output import JsonOption, console, emit
from commands.release import VERSION
from commands.settings import LEDGER_KEY_FILE, Settings, settings_of
from commands.train_input import HistoryBehind, held_beyond_history
from commands.train_schedule import again_in_s, due_in_s, latest_made_at, seconds_of
from consent.holds import ConsentStoreUnavailable
from consent.ledger import CHECKPOINT
from consent.ledger_entry import LedgerError
from consent.ledger_note import NoteInvalid, read_checkpoint
from consent.redis_holds import RedisHolds
from consent.versioned_data import DataInvalid
from events.body_keys import BodyKeysUnavailable
from events.epochs import EpochsUnreadable
from events.history import History
from events.segments import HistoryDamaged
from profiles.redis_store import RedisStore
from profiles.store import ProfileStoreError
from recommender.catalogue import CatalogueInvalid, load_catalogue
from recommender.catalogue_store import CatalogueStore
from recommender.model_store import ModelStore
from recommender.training import Trained
from recommender.training import train as train_on_history
from recommender.training_making import Progress as Told
from recommender.training_making import quiet
from recommender.training_record import signed

_JUDGED = {"repeat": "anything", "new": "new only", "served": "as served"}
_NO_MODEL_NOW: Final = (
    BodyKeysUnavailable,
    CatalogueInvalid,
    ConsentStoreUnavailable,
    DataInvalid,
    EpochsUnreadable,
    HistoryBehind,
    HistoryDamaged,
    LedgerError,
    NoteInvalid,
    OSError,
    ProfileStoreError,
)
"""What keeps a training from being made, and may be mended by the time of the next attempt."""


def train(
    *,
    redis: StoreOption = None,
    data: DataFolderOption = None,
    every: Annotated[str | None, typer.Option(help="go on, and train when the latest is as old as 1h")] = None,
    json: JsonOption = False,
) -> None:
    """Train on the facts of people who allow it, judge the model on what came later, and serve what passes the gate."""
    settings = settings_of(redis=redis, data=data)

    def once() -> None:
        if json:
            emit(_said(train_once(settings, quiet)))
        else:
            _train_shown(settings)

    if every is None:
        once()
    else:
        _train_when_due(settings, seconds_of(every), once)


def _train_when_due(settings: Settings, every_s: int, once: Callable[[], None]) -> None:
    models = ModelStore(settings.models)
    while True:
        time.sleep(due_in_s(latest_made_at(models), every_s=every_s, now=now_ms()))
        try:
            once()
        except _NO_MODEL_NOW as error:
            again_s = again_in_s(every_s)
            typer.echo(f"rapport: no new model, tried again in {again_s:g} s: {error}", err=True)
            time.sleep(again_s)


def _train_shown(settings: Settings) -> None:
    columns = (TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def told(step: str, done: int, total: int) -> None:
            # One bar for a phase, whichever of its parts is at work.
            phase = step.partition(":")[0]
            if phase not in tasks:
                tasks[phase] = progress.add_task(step, total=total)
            progress.update(tasks[phase], completed=done, total=total, description=step)

        said = _said(train_once(settings, told))
    console.print(f"model [bold]{said['model']}[/] by {said['ranker']}: {said['gate']}")
    table = Table(Column("ranker", overflow="fold"), "judged by", "NDCG@10", "95 %", "HR@3", "people")
    for ranker, tasks in said["metrics"].items():
        for task, metrics in tasks.items():
            ndcg, hits = metrics["ndcg_at_10"], metrics["hit_rate_at_3"]
            interval = f"{ndcg['low']:.3f}-{ndcg['high']:.3f}"
            figures = (f"{ndcg['value']:.3f}", interval, f"{hits['value']:.3f}", str(metrics["people"]))
            table.add_row(ranker, _JUDGED[task], *figures)
    console.print(table)
    console.print(f"{said['people_permitted']} people permitted, {said['people_refused']} left out")


def train_once(settings: Settings, told: Told) -> Trained:
    """Make a model from history as it is now, keep it with its signed record, and serve what passes the gate."""
    history, catalogue = history_of(settings), load_catalogue(settings.catalogue)
    trained = train_on_history(
        history.facts,
        catalogue=catalogue,
        at=now_ms(),
        code=VERSION,
        rules=settings.rules(),
        held=asyncio.run(held_now(settings, history, name="train")),
        progress=told,
    )
    CatalogueStore(settings.models).keep(catalogue)
    ModelStore(settings.models).publish(trained.artifact, record=_witnessed(settings, trained.record))
    return trained


def _witnessed(settings: Settings, record: dict[str, object]) -> dict[str, object]:
    """The record with the ledger's latest checkpoint, signed with the ledger's keys, as far as there are any."""
    checkpoint = settings.ledger / CHECKPOINT
    if checkpoint.is_file():
        seen = read_checkpoint(text_of(checkpoint))
        record = {**record, "ledger": {"origin": seen.origin, "size": seen.size, "root": seen.root.hex()}}
    has_key = (settings.data / LEDGER_KEY_FILE).exists()
    return signed(record, signers_of(settings) if has_key else [])


async def held_now(settings: Settings, history: History, *, name: str) -> dict[str, frozenset[str]]:
    """What withdrawals hold closed that history may not have yet (`held_beyond_history`), asked by a process's name."""
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
    try:
        # Under another count whoever said no would be looked for in the wrong place, and not found.
        async with leased(settings, store, name=name):
            return await held_beyond_history(
                store=store,
                holds=RedisHolds(store.client, partitions=settings.partitions),
                history=history,
                topic=settings.events_topic,
                epoch=max((epoch.epoch for epoch in await known_epochs(store)), default=0),
                partitions=settings.partitions,
            )
    finally:
        await store.close()


def _said(trained: Trained) -> dict[str, Any]:
    manifest = trained.artifact.manifest
    metrics = {
        name: {task: figures.model_dump() for task, figures in tasks.items()}
        for name, tasks in manifest.metrics.items()
    }
    own = {"model": trained.artifact.name, "ranker": manifest.ranker, "gate": manifest.gate, "metrics": metrics}
    return own | {name: value for name, value in trained.record.items() if name != "artifact"}
