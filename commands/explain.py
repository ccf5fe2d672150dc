"""`rapport explain`: a past decision made again from its receipt, at the machine that holds the keys."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
import typer

from commands.api import receipts_of
from commands.declaring import note_at_the_machine
from commands.figures import digits, factors_said
from commands.opened_history import history_of
from commands.options import DataFolderOption, NotedOption, StoreOption
from commands.output import JsonOption, console, emit, plain_table
from commands.release import VERSION
from commands.settings import Settings, keyring_of, settings_of
from events.fact import Fact
from events.position import Position
from events.shape import format_time
from profiles.redis_store import RedisStore
from recommender.artifact import Artifact, untrained
from recommender.catalogue import Catalogue
from recommender.catalogue_store import CatalogueStore
from recommender.decisions import Decision
from recommender.explain import SUGGESTED, Archive, Explained
from recommender.explain import explain as made_again
from recommender.model_store import ModelStore
from recommender.redis_decisions import RedisDecisions
from recommender.suggestion import DECISION_ID

_WORDS: Final = {
    "same": "[bold green]the same bytes[/]: made again from its receipt, the decision is what was answered then",
    "differs": "[bold red]other bytes[/]: made again from its receipt, the decision is not what was answered then",
    "missing": "[bold yellow]it cannot be made again[/]",
}


class DecisionUnknown(Exception):
    """There is no receipt of that decision; the text says why that may be."""


def explain(
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="the id that the answer carried")],
    *,
    facts: Annotated[bool, typer.Option("--facts", help="open the facts that reasons rest on, in history")] = False,
    what_for: NotedOption = "request",
    redis: StoreOption = None,
    data: DataFolderOption = None,
    json: JsonOption = False,
) -> None:
    """Make a past decision again: what was offered, what was not and at which stage, and whether it is the same."""
    settings = settings_of(redis=redis, data=data)
    receipt = asyncio.run(_receipt(settings, decision))
    note_at_the_machine(settings, receipt.identity, what="decision explained", what_for=what_for)
    receipts = receipts_of(settings, keyring_of(settings), settings.rules())
    found = made_again(receipt, receipts=receipts, archive=archive_of(settings))
    opened = _opened(settings, found) if facts else {}
    if json:
        emit(_document(receipt, found, opened))
    else:
        _show(receipt, found, opened)
    if found.verdict != "same":
        raise typer.Exit(1)


def archive_of(settings: Settings) -> Archive:
    """The models and catalogues of an installation, and the model it answers with before the first training."""
    models = ModelStore(settings.models)

    def model(name: str, catalogue: Catalogue) -> Artifact:
        fresh = untrained(catalogue, code=VERSION)
        return fresh if fresh.name == name else models.load(name)

    return Archive(model=model, catalogue=CatalogueStore(settings.models).load)


async def _receipt(settings: Settings, decision: str) -> Decision:
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=settings.partitions)
    try:
        found = await RedisDecisions(store.client).get(decision) if DECISION_ID.fullmatch(decision) else None
    finally:
        await store.close()
    if found is None:
        raise DecisionUnknown(
            f"there is no receipt of {decision[:64]!r}: it was never given, is older than 30 days, or its person was "
            "erased and their receipts with them"
        )
    return found


def _opened(settings: Settings, found: Explained) -> dict[str, tuple[Position, Fact]]:
    """Event key (hex) -> the fact that a reason rests on, and where it stands in history."""
    wanted = {bytes.fromhex(key) for fate in found.funnel for key in _evidence(fate.suggestion or {})}
    opened: dict[str, tuple[Position, Fact]] = {}
    for position, fact in history_of(settings).facts() if wanted else ():
        if fact.event_key in wanted:
            opened.setdefault(fact.event_key.hex(), (position, fact))
    return opened


def _evidence(suggestion: Mapping[str, Any]) -> Iterator[str]:
    for reason in suggestion.get("reasons", ()):
        yield from reason["evidence"]


def _document(receipt: Decision, found: Explained, opened: Mapping[str, tuple[Position, Fact]]) -> dict[str, Any]:
    told = {name: value for name, value in msgspec.structs.asdict(receipt).items() if name != "inputs"}
    facts = {key: _fact(*each) for key, each in sorted(opened.items())}
    return {**msgspec.to_builtins(found), "receipt": msgspec.to_builtins(told), "facts": facts}


def _fact(position: Position, fact: Fact) -> dict[str, str]:
    return {"position": str(position), "type": fact.type, "occurred_at": format_time(fact.occurred_at)}


def _show(receipt: Decision, found: Explained, opened: Mapping[str, tuple[Position, Fact]]) -> None:
    console.print(_WORDS[found.verdict], soft_wrap=True)
    for finding in found.findings:
        console.print(f"  {finding}", soft_wrap=True, markup=False)
    until = format_time(receipt.valid_until)
    console.print(
        f"{receipt.mode}, for {receipt.channel or 'no channel in particular'}, valid until {until}, "
        f"model {receipt.model[:12]}, catalogue {receipt.catalogue[:12]}",
        soft_wrap=True,
    )
    for ground in receipt.grounds:
        console.print(f"{ground.purpose} by {ground.basis}: {' '.join(ground.evidence) or '-'}", soft_wrap=True)
    if not found.funnel:
        return
    table = plain_table("", "service", "stage", "score", "why not")
    for fate in found.funnel:
        place = "" if fate.place is None else str(fate.place)
        table.add_row(place, fate.service, fate.stage, _figures(fate.suggestion or {}), fate.because)
    console.print(table)
    for fate in found.funnel:
        if fate.stage == SUGGESTED:
            console.print(f"\n[bold]{fate.service}[/], because", soft_wrap=True)
            for line in _reasons(fate.suggestion or {}, opened):
                console.print(line, soft_wrap=True, markup=False)


def _figures(suggestion: Mapping[str, Any]) -> str:
    """The score, and every factor it is the product of."""
    if not suggestion:
        return ""
    return f"{digits(suggestion['score'], 4)} = {factors_said(suggestion['factors'], count=4)}"


def _reasons(suggestion: Mapping[str, Any], opened: Mapping[str, tuple[Position, Fact]]) -> Iterator[str]:
    for reason in suggestion.get("reasons", ()):
        yield f"  {reason['code']}: {reason['text']['en']}"
        yield from (f"    {_named(key, opened)}" for key in reason["evidence"])


def _named(key: str, opened: Mapping[str, tuple[Position, Fact]]) -> str:
    if key not in opened:
        return key
    position, fact = opened[key]
    return f"{key}: {fact.type} of {format_time(fact.occurred_at)} at {position}"
