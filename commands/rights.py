"""`rapport rights`: what a person may ask of us, by way of the API. Whoever asks about a person says what for."""

from pathlib import Path
from typing import Annotated, Final

import typer

from api.auth import Role
from commands.client import Client, DataOption, Document, IdentityArgument, ReadyFileOption, client_of
from commands.declaring import ReasonOption, WhatForOption, declared
from commands.ledger import text_of, verifier_of
from commands.output import JsonOption, console, emit, plain_table
from commands.rights_access import access
from commands.rights_rectify import rectify
from consent.rights_certificate import read_certificate

app = typer.Typer(name="rights", no_args_is_help=True, help="What a person may ask of us, by way of the API.")

app.command()(access)
app.command()(rectify)

_PRIVACY: Final = Role.PRIVACY

RequestArgument = Annotated[str, typer.Argument(metavar="REQUEST", help="what asking for the erasure answered")]


@app.command()
def plan(
    identity: IdentityArgument,
    *,
    what_for: WhatForOption = "request",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """See what erasing a person would do, and what it would leave. Nothing is changed."""
    with client_of(data=data, ready_file=ready_file) as client:
        told = client.ask("GET", f"{_person(client, identity)}/plan", role=_PRIVACY, headers=declared(what_for, reason))
    if json:
        emit(told)
        return
    console.print(f"identities verified as the person: {', '.join(told['identities'])}", soft_wrap=True)
    console.print(f"not verified, and left: {', '.join(told['not_verified_and_left']) or 'none'}", soft_wrap=True)
    console.print(
        ", ".join(f"{count} {name}" for name, count in told["holds_now"].items()) or "nothing is held", soft_wrap=True
    )
    _show_steps(told)
    survives = plain_table("what survives", "where", "until")
    for each in told["survives"]:
        survives.add_row(each["what"], each["where"], each["until"])
    console.print(survives)


@app.command()
def erase(
    identity: IdentityArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask: it cannot be taken back")] = False,
    what_for: WhatForOption = "request",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Erase a person: all identities that are verified as theirs. `rapport keeper` carries it out."""
    if not yes:
        typer.confirm("Everything about this person is destroyed, and cannot be brought back. Erase?", abort=True)
    with client_of(data=data, ready_file=ready_file) as client:
        where = f"{_person(client, identity)}/erasure"
        told = client.ask("POST", where, role=_PRIVACY, headers=declared(what_for, reason))
    if json:
        emit(told)
        return
    console.print(
        f"asked for: {told['request']}; see how far it is with `rapport rights status {told['request']}`",
        soft_wrap=True,
    )


@app.command()
def status(
    request: RequestArgument,
    *,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """See how far an erasure is, place by place."""
    with client_of(data=data, ready_file=ready_file) as client:
        told = client.ask("GET", f"/v1/rights/erasures/{request}", role=_PRIVACY)
    if json:
        emit(told)
        return
    _show_steps(told)
    console.print(told["status"].replace("_", " "))


@app.command()
def certificate(
    request: RequestArgument,
    out: Annotated[Path, typer.Option(help="the file to write")],
    *,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
) -> None:
    """Write the signed certificate of an erasure that is done into a file."""
    with client_of(data=data, ready_file=ready_file) as client:
        told = client.ask("GET", f"/v1/rights/erasures/{request}", role=_PRIVACY)
    if told["certificate"] is None:
        console.print("the erasure is under way: there is no certificate yet", soft_wrap=True)
        raise typer.Exit(1)
    out.write_text(told["certificate"], encoding="utf-8")
    console.print(f"certificate in {out}", soft_wrap=True)


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="a certificate of erasure")],
    key: Annotated[str, typer.Option(help="the public key of the ledger, or a file with it")],
    *,
    json: JsonOption = False,
) -> None:
    """Hold a certificate to a public key, anywhere; it needs no installation."""
    said = read_certificate(text_of(path), verifier_of(key))
    if json:
        emit(dict(said))
        return
    console.print(
        f"erasure {said['request']}, certified at {said['certified_at']}: signed by the owner of the key",
        soft_wrap=True,
    )
    for each in said["survives"]:
        console.print(f"survives: {each['what']} ({each['where']}), {each['until']}", soft_wrap=True)


@app.command()
def restrict(
    identity: IdentityArgument,
    *,
    end: Annotated[bool, typer.Option("--end", help="the restriction is lifted")] = False,
    what_for: WhatForOption = "request",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Restrict what is done with a person's data to contract and law."""
    _exercise(identity, "restriction", end, declared(what_for, reason), (data, ready_file), json=json)


@app.command("object")
def object_to(
    identity: IdentityArgument,
    *,
    end: Annotated[bool, typer.Option("--end", help="the objection is taken back")] = False,
    what_for: WhatForOption = "request",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Note that a person objects to being written to, on any channel."""
    _exercise(identity, "objection", end, declared(what_for, reason), (data, ready_file), json=json)


def _exercise(
    identity: str,
    right: str,
    ended: bool,  # noqa: FBT001 - as the options say
    headers: dict[str, str],
    where: tuple[str | None, Path | None],
    *,
    json: bool,
) -> None:
    with client_of(data=where[0], ready_file=where[1]) as client:
        body = {"right": right, "ended": ended}
        told = client.ask("POST", f"{_person(client, identity)}/rights", role=_PRIVACY, headers=headers, body=body)
    if json:
        emit(told)
        return
    console.print(f"{right} {'ended' if ended else 'noted'} for {told['identities']} identities", soft_wrap=True)


def _person(client: Client, identity: str) -> str:
    return f"/v1/rights/people/{client.ref(identity, role=_PRIVACY)}"


def _show_steps(told: Document) -> None:
    table = plain_table("place", "what becomes of it", "done at", "found")
    for name, step in told["steps"].items():
        found = ", ".join(f"{count} {what}" for what, count in (step["found"] or {}).items())
        table.add_row(name, step["does"], step["done_at"] or "", found)
    console.print(table)
