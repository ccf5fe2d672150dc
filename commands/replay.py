"""`rapport replay olist DIR` and `rapport replay FILE.jsonl`: send events that were recorded to an intake topic.

Exit codes: 0 everything is acknowledged; 1 some lines were refused, the others are acknowledged; 2 the input or an
option cannot be used; 3 the broker or the topic is not there or did not acknowledge; 130 interrupted. After 3 and 130
the same command goes on where it ended.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from typer.core import TyperGroup

from commands.output import JsonOption
from commands.replay_input import Input, file_input, olist_input
from commands.replay_terminal import tell
from commands.sending import Asked, fail, send
from consent.purposes import PURPOSES

_COMMAND: Final = "rapport replay"


class _FileUnlessNamed(TyperGroup):
    """Takes a first word that is no command for the file to replay."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["file", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="replay",
    cls=_FileUnlessNamed,
    no_args_is_help=True,
    help="Send recorded events: `replay FILE.jsonl` or `replay olist DIR`.",
)

Kafka = Annotated[str | None, typer.Option("--kafka", help="Brokers, host:port, separated by commas.")]
Data = Annotated[str | None, typer.Option("--data", help="Folder of history, models, keys and replay places.")]
Topic = Annotated[str | None, typer.Option(help="Topic to send to; by default the open intake, or that of --source.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Send at most so many this time; a later start goes on.")]
Rate = Annotated[float | None, typer.Option(min=0.001, help="Send at most so many a second.")]
RepeatShare = Annotated[float, typer.Option(min=0, max=1, help="Send this share of the events twice.")]
Seed = Annotated[int, typer.Option(help="Chooses which events --repeat-share sends twice.")]
State = Annotated[
    Path | None, typer.Option("--state", help="Where the place reached is kept; by default with the data.")
]
Again = Annotated[bool, typer.Option("--again", help="Begin at the start whatever was acknowledged before.")]


@app.command("olist")
def replay_olist(
    folder: Annotated[Path, typer.Argument(help="The folder of the Olist files (*.csv.gz).")],
    *,
    grant: Annotated[str, typer.Option(help="Purposes, separated by commas, to give a demo consent to first.")] = "",
    kafka: Kafka = None,
    data: Data = None,
    source: Annotated[str, typer.Option(help="The sender; its intake topic must be bound to it.")] = "replay",
    topic: Topic = None,
    limit: Limit = None,
    rate: Rate = None,
    repeat_share: RepeatShare = 0.0,
    seed: Seed = 0,
    state: State = None,
    again: Again = False,
    json: JsonOption = False,
) -> None:
    """Send the Olist orders, payments, deliveries and reviews, and who is who, in the order of their time."""
    grants = tuple(dict.fromkeys(purpose.strip() for purpose in grant.split(",") if purpose.strip()))
    if unknown := [purpose for purpose in grants if purpose not in PURPOSES]:
        fail(_COMMAND, f"no such purpose: {', '.join(unknown)}; there are {', '.join(PURPOSES)}", code=2)
    asked = Asked(
        kafka=kafka,
        data=data,
        topic=topic,
        source=source,
        limit=limit,
        rate=rate,
        share=repeat_share,
        seed=seed,
        state=state,
        again=again,
    )
    _replay(lambda: olist_input(folder, source=source, grants=grants), asked, as_json=json)


@app.command("file")
def replay_file(
    file: Annotated[Path, typer.Argument(help="JSON Lines, one CloudEvent per line; gzip is recognised.")],
    *,
    kafka: Kafka = None,
    data: Data = None,
    source: Annotated[
        str | None, typer.Option(help="The sender, if its intake topic is bound to it; else the open intake is used.")
    ] = None,
    topic: Topic = None,
    limit: Limit = None,
    rate: Rate = None,
    repeat_share: RepeatShare = 0.0,
    seed: Seed = 0,
    state: State = None,
    again: Again = False,
    json: JsonOption = False,
) -> None:
    """Send the events of a file as they stand in it. The word `file` may be left out."""
    asked = Asked(
        kafka=kafka,
        data=data,
        topic=topic,
        source=source,
        limit=limit,
        rate=rate,
        share=repeat_share,
        seed=seed,
        state=state,
        again=again,
    )
    _replay(lambda: file_input(file), asked, as_json=json)


def _replay(read: Callable[[], Input], asked: Asked, *, as_json: bool) -> NoReturn:
    sent = send(read, asked, command=_COMMAND)
    tell(sent.tally, sent.begin, seconds=sent.seconds, as_json=as_json)
    raise typer.Exit(sent.code)
