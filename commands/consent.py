"""`rapport consent`: record what a person said about a purpose, and see what stands."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from commands.client import Client, DataOption, IdentityArgument, ReadyFileOption, client_of
from commands.output import JsonOption, console, emit
from consent.purposes import PURPOSES

app = typer.Typer(name="consent", no_args_is_help=True, help="What people allow, by way of the API.")

PurposesArgument = Annotated[list[str], typer.Argument(metavar="PURPOSE...", help=", ".join(PURPOSES))]
_SAID: Final = {"given": "yes", "renewed": "yes again", "refused": "no", "withdrawn": "no longer"}


def _recording(act: str) -> Callable[..., None]:
    """The command that records this act."""

    def record(
        identity: IdentityArgument,
        purposes: PurposesArgument,
        *,
        data: DataOption = None,
        ready_file: ReadyFileOption = None,
        json: JsonOption = False,
    ) -> None:
        _record(act, identity, purposes, data=data, ready_file=ready_file, as_json=json)

    return record


for _name, _act, _help in (
    ("give", "given", "The person agreed."),
    ("renew", "renewed", "The person agreed again."),
    ("refuse", "refused", "The person was asked and said no; it counts from now on."),
    ("withdraw", "withdrawn", "The person took an agreement back; it counts from now on."),
):
    app.command(_name, help=_help)(_recording(_act))


@app.command()
def show(
    identity: IdentityArgument,
    *,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """See what the person allows, and why."""
    with client_of(data=data, ready_file=ready_file) as client:
        standing = client.consents(client.ref(identity))
    if json:
        emit(standing)
    else:
        console.print(consent_table(standing))


def consent_table(standing: dict[str, Any]) -> Table:
    """Every purpose with the door's answer and its reason."""
    table = Table("purpose", "", "why", box=None, pad_edge=False)
    for purpose, found in standing.items():
        evidence = f" ({found['evidence']})" if found["evidence"] else ""
        why = f"{found['basis']}{evidence}" if found["allowed"] else str(found["detail"])
        table.add_row(purpose, "[green]✓[/]" if found["allowed"] else "[red]✗[/]", why)
    return table


def _record(
    act: str, identity: str, purposes: list[str], *, data: str | None, ready_file: Path | None, as_json: bool
) -> None:
    if unknown := [purpose for purpose in purposes if purpose not in PURPOSES]:
        raise typer.BadParameter(f"no such purpose: {', '.join(unknown)}; there are {', '.join(PURPOSES)}")
    with client_of(data=data, ready_file=ready_file) as client:
        ref = client.ref(identity)
        said = [client.act(ref, act, purpose) | {"purpose": purpose} for purpose in purposes]
        standing = _after(client, ref, [one["after"] for one in said])
    if as_json:
        emit({"acts": said, "consents": {purpose: standing[purpose] for purpose in purposes}})
        return
    console.print(f"{_SAID[act]} to {', '.join(purposes)}, for {said[0]['identities']} identities of the person")
    console.print(consent_table({purpose: standing[purpose] for purpose in purposes}))


def _after(client: Client, ref: str, tokens: list[str | None]) -> dict[str, Any]:
    """What stands once all that was written can be read."""
    standing: dict[str, Any] = {}
    for token in tokens:
        standing = client.consents(ref, after=token)
    return standing
