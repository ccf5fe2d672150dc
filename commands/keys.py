"""`rapport keys`: who may use the API. A key is shown once, when it is made; what is kept is its hash."""

from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.table import Table

from api.auth import Role, make_key
from api.key_file import KeyFile
from commands.clock import now_ms
from commands.fact_keys import age_out, ask_for_evidence, due, give_up, open_evidence
from commands.options import DataFolderOption
from commands.output import JsonOption, console, emit
from commands.settings import KEYS_FILE, Settings, settings_of
from events.fact import describe
from events.shape import format_time

app = typer.Typer(name="keys", no_args_is_help=True, help="Keys of the HTTP API, and those that seal facts.")

for command in (due, age_out, give_up, ask_for_evidence, open_evidence):
    app.command()(command)

DEMO: Final = "demo"
"""The name of the keys `make` makes."""
DEMO_SOURCE: Final = "crm"


@app.command()
def add(
    role: Annotated[Role, typer.Argument(help="what the key is for")],
    name: Annotated[str, typer.Argument(help="whose key it is")],
    *,
    source: Annotated[str | None, typer.Option(help="ingest: the source it speaks for")] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="ingest: an event type, or a prefix ending in .*")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="requests and events a second it may send")] = None,
    data: DataFolderOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key and show it, once."""
    try:
        new = make_key(name=name, role=role, source=source, types=tuple(types or ()), rate=rate, now=now_ms())
    except ValidationError as error:
        raise typer.BadParameter(describe(error)) from None
    _file(data).add(new.kept)
    if json:
        emit({"id": new.kept.id, "key": new.shown})
        return
    console.print(f"{role.value} key of {name}; it is not shown again:")
    console.print(new.shown, soft_wrap=True)


@app.command("list")
def list_keys(*, data: DataFolderOption = None, json: JsonOption = False) -> None:
    """List the keys there are; never what they are."""
    keys = sorted(_file(data).all().values(), key=lambda key: (key.made_at, key.id))
    if json:
        emit([_plain(key.model_dump(mode="json")) for key in keys])
        return
    table = Table("id", "role", "name", "source", "types", "made")
    for key in keys:
        table.add_row(
            key.id, key.role.value, key.name, key.source or "", ", ".join(key.types), format_time(key.made_at)
        )
    console.print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")], *, data: DataFolderOption = None) -> None:
    """Let a key in no longer, from the next request on."""
    if not _file(data).revoke(key_id):
        raise typer.BadParameter(f"there is no key {key_id}; `rapport keys list` lists them")
    console.print(f"{key_id} is revoked")


@app.command("make")
def make(*, data: DataFolderOption = None) -> None:
    """Make one key for each role, in place of those made so before, and write them as JSON."""
    emit(demo_keys(settings_of(data=data)))


def demo_keys(settings: Settings) -> dict[Role, str]:
    """Role -> a fresh key of that role; keys made so before are revoked. The ingest key may publish every type."""
    file, now = KeyFile(settings.data / KEYS_FILE), now_ms()
    bound: dict[str, Any] = {"source": DEMO_SOURCE, "types": ("*",)}
    new = {role: make_key(name=DEMO, role=role, now=now, **(bound if role is Role.INGEST else {})) for role in Role}
    file.revoke(*(key.id for key in file.all().values() if key.name == DEMO))
    file.add(*(key.kept for key in new.values()))
    return {role: key.shown for role, key in new.items()}


def _file(data: str | None) -> KeyFile:
    return KeyFile(settings_of(data=data).data / KEYS_FILE)


def _plain(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name != "sha256"} | {"made_at": format_time(key["made_at"])}
