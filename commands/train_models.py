"""`rapport models`: look at models, read what one says of itself, and go back to an earlier one."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from commands.clock import now_ms
from commands.ledger import signers_of
from commands.opened_history import history_of
from commands.options import DataFolderOption, StoreOption
from commands.output import JsonOption, console, emit
from commands.settings import LEDGER_KEY_FILE, Settings, settings_of
from commands.train import held_now, train_once
from recommender.artifact import Artifact, ArtifactInvalid
from recommender.model_card import model_card
from recommender.model_store import ModelStore
from recommender.training_making import quiet
from recommender.training_record import SIGNATURE, Left, is_signed, left_since

app = typer.Typer(name="models", no_args_is_help=True, help="Trained models.")

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL")]


@app.command("list")
def list_models(*, data: DataFolderOption = None, json: JsonOption = False) -> None:
    """List the models, the latest first; the one that is served is marked."""
    store = ModelStore(settings_of(data=data).models)
    current = store.current()
    models = [{"name": name, "served": name == current, **_listed(store, name)} for name in store.names()]
    if json:
        emit(models)
        return
    # Names are whole, to be handed to the other commands; the gate's reasons are on the card.
    table = Table(Column("model", no_wrap=True), "served", "people", Column("ranker", overflow="fold"))
    for model in models:
        served = "yes" if model["served"] else ""
        table.add_row(model["name"], served, str(model["people"]), model["ranker"] or f"[red]{model['gate']}[/]")
    console.print(table)


@app.command("show")
def show(name: ModelArgument, *, data: DataFolderOption = None, json: JsonOption = False) -> None:
    """Show a model's card: what it was made from, how it did, whose data, who signed. `current` is the one served."""
    settings = settings_of(data=data)
    store = ModelStore(settings.models)
    found = (store.current() or name) if name == "current" else name
    manifest, record = store.load(found).manifest, store.record(found)
    if json:
        emit({"name": found, "manifest": manifest.model_dump(mode="json"), "record": record})
        return
    card = model_card(found, manifest, record=record, signature=_signature(settings, record))
    console.print(card, markup=False, highlight=False, soft_wrap=True)


@app.command("rollback")
def roll_back(
    name: ModelArgument,
    *,
    redis: StoreOption = None,
    data: DataFolderOption = None,
) -> None:
    """Serve an earlier model; where people it was trained on have left since, train anew instead (status 1).

    Running servers switch by themselves.
    """
    settings = settings_of(redis=redis, data=data)
    store = ModelStore(settings.models)
    left = _left(settings, store, store.load(name))
    if not left:
        store.roll_back(name)
        console.print(f"{name} is served")
        return
    trained = train_once(settings, quiet)
    console.print(f"{name} is not served: {left}. Trained anew instead: {trained.artifact.name}", soft_wrap=True)
    raise typer.Exit(1)


def _left(settings: Settings, store: ModelStore, artifact: Artifact) -> Left:
    if not artifact.manifest.people:
        return Left(0)
    history, rules = history_of(settings), settings.rules()
    return left_since(
        history.facts,
        store.record(artifact.name),
        policy=artifact.manifest.policy,
        policy_now=rules.hash,
        at=now_ms(),
        rules=rules,
        held=asyncio.run(held_now(settings, history, name="models")),
    )


def _signature(settings: Settings, record: dict[str, Any] | None) -> str:
    if record is None or SIGNATURE not in record:
        return "The record is not signed: there was no key of a ledger."
    if not (settings.data / LEDGER_KEY_FILE).exists():
        return "The record is signed; the ledger's key is not here to check it."
    for signer in signers_of(settings):
        if is_signed(record, signer.verifier):
            return f"The record is signed by {signer.verifier}."
    return "**The signature does not fit the record.**"


def _listed(store: ModelStore, name: str) -> dict[str, Any]:
    try:
        manifest = store.load(name).manifest
    except ArtifactInvalid as error:
        return {"ranker": "", "gate": str(error), "people": 0, "examples": 0}
    return {"ranker": manifest.ranker, "gate": manifest.gate, "people": manifest.people, "examples": manifest.examples}
