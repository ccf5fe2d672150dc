"""`rapport officer`: what the privacy officer asks, by way of the API. Whoever asks about a person says what for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.auth import Role
from commands.client import Client, DataOption, Document, IdentityArgument, ReadyFileOption, client_of, identity_of
from commands.consent import consent_table
from commands.declaring import ReasonOption, WhatForOption, declared
from commands.officer_dossier import check, export
from commands.officer_receipts import receipts
from commands.output import JsonOption, console, emit, plain_table, show_entries
from consent.purposes import PURPOSES

app = typer.Typer(name="officer", no_args_is_help=True, help="What the privacy officer asks, by way of the API.")

app.command()(receipts)
app.command()(export)
app.command()(check)

_PRIVACY: Final = Role.PRIVACY
SomebodyArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[IDENTITY]",
        help="one identity of the person; everybody without it",
        callback=lambda text: None if text is None else identity_of(text),
    ),
]


@dataclass(frozen=True, slots=True)
class Asking:
    """An officer's questions: whom to ask, and what is declared with each."""

    client: Client
    declared: Mapping[str, str]

    def about(self, identity: str, what: str, **params: str | None) -> Document:
        """A question about the person of a clear identity."""
        ref = self.client.ref(identity, role=_PRIVACY)
        return self.ask(f"people/{ref}/{what}", **params)

    def ask(self, path: str, **params: str | None) -> Document:
        """A question."""
        where = f"/v1/officer/{path}"
        return self.client.ask("GET", where, role=_PRIVACY, params=params, headers=self.declared)


@app.command()
def history(
    identity: IdentityArgument,
    *,
    what_for: WhatForOption = "request",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """See all evidence about a person as a timeline."""
    with _asking(data, ready_file, what_for, reason) as officer:
        told = officer.about(identity, "history")
    if json:
        emit(told)
        return
    show_entries(map(_evidence, told["timeline"]))
    console.print(f"read up to {', '.join(told['read_to'])}", soft_wrap=True)


@app.command()
def permitted(
    identity: IdentityArgument,
    *,
    at: Annotated[str | None, typer.Option(help="the moment asked about (RFC 3339); now without it")] = None,
    known_at: Annotated[str | None, typer.Option(help="in hindsight of when (RFC 3339); now without it")] = None,
    what_for: WhatForOption = "request",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """See what was permitted at a moment: as it was known then, and in hindsight."""
    with _asking(data, ready_file, what_for, reason) as officer:
        told = officer.about(identity, "permitted", at=at, known_at=known_at)
    if json:
        emit(told)
        return
    for sense, title in (("as_known", "as it was known"), ("in_hindsight", "in hindsight of")):
        found = told[sense]
        console.print(
            f"\n[bold]{found['at']}, {title} {found['known_at']}[/], {len(found['identities'])} identities",
            soft_wrap=True,
        )
        console.print(consent_table(found["purposes"]))
    if told["as_known"]["purposes"] == told["in_hindsight"]["purposes"]:
        console.print("\nhindsight changes nothing", soft_wrap=True)


@app.command()
def accesses(
    identity: SomebodyArgument = None,
    *,
    since: Annotated[str | None, typer.Option(help="everybody: since when (RFC 3339); one day without it")] = None,
    broke_glass: Annotated[
        bool, typer.Option("--broke-glass", help="everybody: only looks that needed a reason")
    ] = False,
    what_for: WhatForOption = "audit",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """See who looked at a person, or at anybody, and what for."""
    with _asking(data, ready_file, what_for, reason) as officer:
        if identity is None:
            told = officer.ask("accesses", since=since, broke_glass=str(broke_glass).lower())
        else:
            told = officer.about(identity, "accesses")
    if json:
        emit(told)
        return
    show_entries(map(_look, told["accesses"]))


@app.command()
def denied(
    identity: IdentityArgument,
    *,
    what_for: WhatForOption = "request",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """See which messages to a person were refused, and why."""
    with _asking(data, ready_file, what_for, reason) as officer:
        told = officer.about(identity, "denied")
    if json:
        emit(told)
        return
    show_entries(map(_decision, told["decisions"]))
    for gap in told["not_kept"]:
        console.print(f"not kept of {gap}", soft_wrap=True)


@app.command()
def rates(*, data: DataOption = None, ready_file: ReadyFileOption = None, json: JsonOption = False) -> None:
    """See how people answer, by purpose, channel and notice; never of a few."""
    with _asking(data, ready_file, "audit", None) as officer:
        told = officer.ask("rates")
    if json:
        emit(told)
        return
    table = plain_table("purpose", "channel", "notice", "people by last answer", "agreeing")
    for each in [*told["purposes"], *told["figures"]]:
        is_sum = each in told["purposes"]
        people = ", ".join(f"{said} {count}" for said, count in sorted(each["people"].items()))
        names = (each["purpose"], "all" if is_sum else each["channel"] or "-", "" if is_sum else each["notice"] or "-")
        table.add_row(*names, people, f"{each['share_agreeing']:.0%}")
    console.print(table)
    console.print(f"as of {told['before']}, in steps of {told['least']} people; fewer are never told", soft_wrap=True)


@app.command()
def renewals(
    purpose: Annotated[str, typer.Argument(help=", ".join(PURPOSES))],
    *,
    soon_days: Annotated[int, typer.Option(min=1, help="agreements that end within so many days")] = 30,
    old_days: Annotated[int, typer.Option(min=1, help="agreements older than so many days")] = 730,
    what_for: WhatForOption = "audit",
    reason: ReasonOption = None,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """List whom to ask again: agreements that ended, end soon or are old. Nobody who said no; and it allows nothing."""
    asked = {"about": purpose, "soon_days": str(soon_days), "old_days": str(old_days)}
    found: list[Document] = []
    with _asking(data, ready_file, what_for, reason) as officer:
        for page in _pages(officer, asked):
            found += page["renewals"]
    if json:
        emit(found)
        return
    show_entries(map(_renewal, found))
    console.print(f"{len(found)} people; at a desk each of them may be asked", soft_wrap=True)


def _pages(officer: Asking, asked: Mapping[str, str]) -> Iterator[Document]:
    start: str | None = None
    while True:
        page = officer.ask("renewals", **asked, start=start)
        yield page
        start = page["next"]
        if start is None:
            return


@contextmanager
def _asking(data: str | None, ready_file: Path | None, what_for: str, reason: str | None) -> Iterator[Asking]:
    with client_of(data=data, ready_file=ready_file) as client:
        yield Asking(client, declared(what_for, reason))


def _evidence(each: Document) -> tuple[str, ...]:
    heard = f"heard of {each['received_at']}, " if each["received_at"] != each["effective_at"] else ""
    return (
        f"{each['effective_at']}  {each['type']}",
        _said(each["said"]),
        f"{heard}by {each['identity']['kind']}, from {each['source']}",
        f"event {each['event']}, at {each['position']}",
    )


def _look(each: Document) -> tuple[str, ...]:
    glass = "broke the glass: " if each["broke_glass"] else ""
    who = f"{each['key']} ({each['role']}), for {each['purpose']}"
    return f"{each['at']}  {each['what']}", who, glass + each["reason"]


def _decision(each: Document) -> tuple[str, ...]:
    why = ": ".join(filter(None, (each["because"], each["detail"])))
    by = f", by {each['channel']}" if each["channel"] else ""
    return f"{each['at']}  {each['trigger']}", f"{each['verdict']}{by}: {why}"


def _renewal(each: Document) -> tuple[str, ...]:
    ends = f", ends {each['ends_at']}" if each["ends_at"] else ""
    by = ", ".join(each["may_write"])
    agreed = f"{each['because']}: agreed {each['agreed_at']}{ends}"
    return each["identity"]["ref"], agreed, f"may be written to by {by}" if by else ""


def _said(body: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in body.items() if name != "act_id"}
    return ", ".join(
        f"{name} {value['kind'] if isinstance(value, dict) and 'kind' in value else value}"
        for name, value in shown.items()
    )
