"""`rapport officer receipts`: what a person was offered, on which consents, and who was shown it."""

from typing import Annotated, Final

import typer

from api.auth import Role
from commands.client import DataOption, Document, ReadyFileOption, client_of, identity_of
from commands.declaring import ReasonOption, WhatForOption, declared
from commands.output import JsonOption, console, emit, show_entries

_PRIVACY: Final = Role.PRIVACY


def receipts(
    identity: Annotated[
        str | None,
        typer.Argument(
            metavar="[IDENTITY]",
            help="one identity of the person",
            callback=lambda text: None if text is None else identity_of(text),
        ),
    ] = None,
    *,
    decision: Annotated[str | None, typer.Option(help="in place of a person: the id that an answer carried")] = None,
    event: Annotated[
        str | None, typer.Option(help="only decisions that relied on this consent act: `event` in the history")
    ] = None,
    what_for: WhatForOption = "request",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """See what a person was offered in the last 30 days, on which consents, and who was shown it."""
    if (identity is None) == (decision is None):
        raise typer.BadParameter("name a person by an identity, or one decision with --decision")
    with client_of(data=data, ready_file=ready_file) as client:
        asked, where = declared(what_for, reason), f"receipts/{decision}"
        if identity is not None:
            where = f"people/{client.ref(identity, role=_PRIVACY)}/receipts"
        told = client.ask("GET", f"/v1/officer/{where}", role=_PRIVACY, params={"event": event}, headers=asked)
    if json:
        emit(told)
        return
    show_entries(map(_receipt, told["receipts"] if decision is None else [told]))
    if decision is not None:
        _show_looks(told)
    elif told["truncated"]:
        console.print("there are more; these are the latest", soft_wrap=True)


def _show_looks(told: Document) -> None:
    for each in told["shown"]:
        glass = "broke the glass: " if each["broke_glass"] else ""
        console.print(
            f"shown at {each['at']} to {each['key']} ({each['role']}) for {each['purpose']} {glass}{each['reason']}",
            soft_wrap=True,
            markup=False,
        )
    console.print(f"made again by: rapport explain {told['decision']}", soft_wrap=True)


def _receipt(each: Document) -> tuple[str, ...]:
    shown = f", shown last {each['shown'][0]['at']}" if each["shown"] else ""
    grounds = (f"{ground['purpose']} ({ground['basis']}): {' '.join(ground['events'])}" for ground in each["grounds"])
    return (
        each["decision"],
        f"{each['mode']}, for {each['identity']['kind']}{shown}",
        ", ".join(each["services"]),
        *(f"relied on {ground}" for ground in grounds),
        f"model {each['model']}",
    )
