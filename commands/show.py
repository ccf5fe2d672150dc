"""`rapport show` and `rapport suggest`: a person as a readable card, and what to offer them next and why."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from commands.client import DataOption, IdentityArgument, ReadyFileOption, client_of
from commands.consent import consent_table
from commands.figures import factors_said, money, span, trait_value
from commands.output import JsonOption, console, emit, plain_table
from events.shape import format_time

_TRAITS_SHOWN: Final = frozenset(
    {
        "orders",
        "revenue",
        "late_deliveries",
        "lifecycle_stage",
        "value_tier",
        "category_affinities",
        "wait",
        "nps",
        "csat",
        "suggestion_answers",
    }
)
"""Traits on the card, where there are such; `--json` has all of them."""


def show(
    identity: IdentityArgument,
    *,
    every: Annotated[bool, typer.Option("--all", help="every trait, those without a value too")] = False,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show a person as far as they allow it: open matters, orders, contacts, traits, consents."""
    with client_of(data=data, ready_file=ready_file) as client:
        card = client.card(client.ref(identity))
    if json:
        emit(card)
    else:
        console.print(card_panel(card, title=identity, every=every))


def suggest(
    identity: IdentityArgument,
    *,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="how many at most")] = 3,
    channel: Annotated[str | None, typer.Option(help="where it would be said, such as app or branch")] = None,
    intent: Annotated[str | None, typer.Option(help="what they want of this contact, such as cancel or fees")] = None,
    withheld: Annotated[bool, typer.Option(help="also what was left out, and why")] = False,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Suggest what to offer a person next, and say why."""
    with client_of(data=data, ready_file=ready_file) as client:
        answer = client.suggestions(client.ref(identity), k=k, channel=channel, intent=intent)
    if json:
        emit(answer)
        return
    console.print(suggestion_panel(answer, title=f"What next for {identity}?"))
    if withheld:
        console.print(withheld_table(answer))


def card_panel(card: Mapping[str, Any], *, title: str, every: bool = False) -> Panel:
    """A person on one screen."""
    parts: list[RenderableType] = [_who(card)]
    if card["service"] is not None:
        parts += list(_brief(card["service"]))
    if card["attributes"]:
        parts.append(_section("described", (f"{name}: {value}" for name, value in card["attributes"].items())))
    parts += ["", _traits(card["traits"], every=every), "", consent_table(card["consents"])]
    return Panel(Group(*parts), title=escape(title), border_style="cyan")


def suggestion_panel(answer: Mapping[str, Any], *, title: str) -> Panel:
    """Suggestions, best first, each with what can be said and what it rests on."""
    parts: list[RenderableType] = []
    for place, found in enumerate(answer["suggestions"], start=1):
        about = f"{found['service']}, {found['confidence']}, {factors_said(found['factors'])}"
        parts.append(f"[bold]{place}. {escape(found['name']['en'])}[/]  [dim]{about}[/]")
        if found["say"]:
            parts.append(Padding(Text(f"“{found['say']['en']}”", style="italic"), (0, 3)))
        parts += [Padding(Text(_reason(reason)), (0, 3)) for reason in found["reasons"]]
    relied = ", ".join(ground["purpose"] for ground in answer["consent"]) or "nothing personal"
    foot = f"{answer['mode']} · rests on {relied} · by {answer['ranker']} · until {format_time(answer['valid_until'])}"
    parts += ["", Text(foot, style="dim")]
    return Panel(Group(*parts), title=escape(title), border_style="green" if answer["mode"] == "personal" else "blue")


def withheld_table(answer: Mapping[str, Any]) -> Table:
    """What was left out, at which stage, and why."""
    table = Table("left out", "stage", "because", box=None, caption=f"{answer['beyond']} more, had more been asked for")
    for entry in answer["withheld"]:
        table.add_row(entry["service"], entry["stage"], entry["because"])
    return table


def _reason(reason: Mapping[str, Any]) -> str:
    facts = len(reason["evidence"])
    rests = f" [{facts} fact{'s' * (facts != 1)}]" if facts else ""
    quiet = "" if reason["sayable"] else " (for staff, not to be said)"
    return f"because: {reason['text']['en']}{rests}{quiet}"


def _who(card: Mapping[str, Any]) -> Text:
    if not card["known"]:
        return Text("Nothing is known of this person.", style="yellow")
    kinds = ", ".join(f"{count} {kind}" for kind, count in card["identities"]["kinds"].items())
    restraints = [f"{name.replace('_', ' ')}: {count}" for name, count in card["restraints"].items() if count]
    text = Text(f"one person by {kinds}")
    if restraints:
        text.append("  · " + ", ".join(restraints), style="yellow")
    return text


def _brief(service: Mapping[str, Any]) -> Iterable[RenderableType]:
    cases = (
        f"{case['opened_at'][:16]}  {_kind(case)} {case['id']}: {', '.join(case['topics'])}"
        for case in service["open_cases"]
    )
    orders = (
        f"{order['at'][:16]}  {money(order['amount'], order['currency'])}, {order['step']}"
        for order in service["orders"]
    )
    contacts = (f"{one['at'][:16]}  {_contact(one)}" for one in service["contacts"])
    for name, lines in (
        ("open", cases),
        ("orders", orders),
        ("contacts", contacts),
        ("runs", service["subscriptions"]),
    ):
        told = list(lines)
        if told:
            yield _section(name, told)


def _kind(case: Mapping[str, Any]) -> str:
    return "complaint" if case["complaint"] else "case"


def _contact(contact: Mapping[str, Any]) -> str:
    waited = "" if contact["wait_ms"] is None else f", waited {span(contact['wait_ms'])}"
    human = ", reached a human" if contact["to_human"] else ""
    return f"{contact['channel'] or '?'} about {', '.join(contact['topics']) or '?'}{waited}{human}"


def _section(name: str, lines: Iterable[str]) -> Group:
    return Group("", f"[bold]{name}[/]", *(Padding(Text(line), (0, 2)) for line in lines))


def _traits(traits: Mapping[str, Any], *, every: bool) -> Table:
    table = plain_table("trait", "value", "of", "days")
    for name, trait in traits.items():
        if every or name in _TRAITS_SHOWN:
            if trait["withheld"] is not None:
                table.add_row(name, Text(f"withheld: {trait['withheld']['because']}", style="dim"))
            elif every or trait["sample_size"]:
                value = Text(trait_value(name, trait["value"]))
                table.add_row(name, value, str(trait["sample_size"]), str(trait["window_days"]))
    return table
