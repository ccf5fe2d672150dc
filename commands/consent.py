"""`rapport consent`: record what a person said about a purpose, and see what stands."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from api.auth import Role
from commands.client import Client, DataOption, IdentityArgument, ReadyFileOption, client_of
from commands.output import JsonOption, console, emit, plain_table
from consent.purposes import PURPOSES
from events.acts import Form

app = typer.Typer(name="consent", no_args_is_help=True, help="What people allow, by way of the API.")

PurposesArgument = Annotated[list[str], typer.Argument(metavar="PURPOSE...", help=", ".join(PURPOSES))]
_SAID: Final = {"given": "yes", "renewed": "yes again", "refused": "no", "withdrawn": "no longer"}


class SpokenLanguage(StrEnum):
    """A language people are asked in."""

    EN = "en"
    ZH = "zh"


AgentOption = Annotated[str | None, typer.Option(help="who records it on the person's behalf, as in a-12")]
ChannelOption = Annotated[str | None, typer.Option(help="where it was said, as in phone")]
AskOption = Annotated[
    SpokenLanguage | None,
    typer.Option(help="show the notice to read out first, in this language, and record that it was read"),
]
FormOption = Annotated[
    Form | None, typer.Option(help="how clearly they agreed; data.sensitive wants separate or written")
]


def _recording(act: str) -> Callable[..., None]:
    """The command that records this act."""

    def record(
        identity: IdentityArgument,
        purposes: PurposesArgument,
        *,
        agent: AgentOption = None,
        channel: ChannelOption = None,
        ask: AskOption = None,
        form: FormOption = None,
        data: DataOption = None,
        ready_file: ReadyFileOption = None,
        json: JsonOption = False,
    ) -> None:
        if unknown := [purpose for purpose in purposes if purpose not in PURPOSES]:
            raise typer.BadParameter(f"no such purpose: {', '.join(unknown)}; there are {', '.join(PURPOSES)}")
        if ask is not None and agent is None:
            raise typer.BadParameter("--ask wants --agent too: whoever reads it out answers for it")
        told = (("agent", agent), ("channel", channel), ("form", form))
        through = {name: text for name, text in told if text is not None}
        with client_of(data=data, ready_file=ready_file) as client:
            read_out = {} if ask is None else _read_out(client, act, purposes, language=ask)
            said = {purpose: through | read_out.get(purpose, {}) for purpose in purposes}
            _record(client, act, identity, said, as_json=json)

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


@app.command()
def link(
    identity: IdentityArgument,
    *,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Make a link to the person's own preferences, to be given to them and to nobody else."""
    with client_of(data=data, ready_file=ready_file) as client:
        made = client.preferences_link(client.ref(identity))
    if json:
        emit(made)
    else:
        console.print(made["url"], soft_wrap=True, highlight=False)


@app.command()
def recipients(*, data: DataOption = None, ready_file: ReadyFileOption = None, json: JsonOption = False) -> None:
    """See which other systems have not confirmed that they heard of a no."""
    with client_of(data=data, ready_file=ready_file) as client:
        found = client.ask("GET", "/v1/officer/recipients", role=Role.PRIVACY)
    if json:
        emit(found)
        return
    table = plain_table("recipient", "not confirmed", "since", "first ids")
    for name, each in found["recipients"].items():
        table.add_row(name, str(each["unconfirmed"]), each["oldest"] or "", " ".join(each["ids"]))
    console.print(table)


def consent_table(standing: dict[str, Any]) -> Table:
    """Every purpose with the door's answer and its reason."""
    table = plain_table("purpose", "", "why")
    for purpose, found in standing.items():
        evidence = f" ({found['evidence']})" if found["evidence"] else ""
        why = f"{found['basis']}{evidence}" if found["allowed"] else str(found["detail"])
        table.add_row(purpose, "[green]✓[/]" if found["allowed"] else "[red]✗[/]", why)
    return table


def _read_out(client: Client, act: str, purposes: list[str], *, language: str) -> dict[str, dict[str, str]]:
    """What the person was told about each purpose; without their word that they heard it no yes is recorded."""
    notices = client.notices()
    for purpose in purposes:
        told = notices[purpose]["texts"][language]
        Console(stderr=True).print(Panel(escape(told["body"]), title=escape(told["title"]), subtitle=purpose))
    if act in ("given", "renewed"):
        typer.confirm("Did they hear this and agree?", abort=True, err=True)
    return {purpose: {"notice": notices[purpose]["notice"], "language": language} for purpose in purposes}


def _record(client: Client, act: str, identity: str, said: dict[str, dict[str, str]], *, as_json: bool) -> None:
    ref = client.ref(identity)
    acts = [client.act(ref, act, purpose, said=more) | {"purpose": purpose} for purpose, more in said.items()]
    standing = _after(client, ref, [one["after"] for one in acts])
    if as_json:
        emit({"acts": acts, "consents": {purpose: standing[purpose] for purpose in said}})
        return
    console.print(f"{_SAID[act]} to {', '.join(said)}, for {acts[0]['identities']} identities of the person")
    console.print(consent_table({purpose: standing[purpose] for purpose in said}))


def _after(client: Client, ref: str, tokens: list[str | None]) -> dict[str, Any]:
    """What stands once all that was written can be read."""
    standing: dict[str, Any] = {}
    for token in tokens:
        standing = client.consents(ref, after=token)
    return standing
