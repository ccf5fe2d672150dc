"""`rapport replay olist DIR` and `rapport replay FILE.jsonl`: send events that were recorded to an intake topic.

Exit codes: 0 everything is acknowledged; 1 some lines were refused, the others are acknowledged; 2 the input or an
option cannot be used; 3 the broker or the topic is not there or did not acknowledge; 130 interrupted. After 3 and 130
the same command goes on where it ended.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from commands.olist import OlistUnreadable
from commands.output import JsonOption
from commands.replay_input import Input, InputUnreadable, file_input, olist_input, with_repeats
from commands.replay_run import Course, Ending, Precheck, Tally, run
from commands.replay_state import ReplayState, Resume, StateUnreadable, load_state, resume, save_state
from commands.replay_terminal import paced, progress_bar, stoppable, tell, teller
from commands.settings import Settings, SettingsInvalid, settings_of
from consent.purposes import PURPOSES
from events.admission import INTAKE as OPEN_DOOR
from events.admission import Admission, Door
from events.pseudonyms import Pseudonyms
from streams.producer import DeliveryFailed, IntakeProducer

_EXIT: Final[dict[Ending, int]] = {"complete": 0, "limit": 0, "unreadable": 2, "undelivered": 3, "interrupted": 130}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What both commands are asked for."""

    kafka: str | None
    data: str | None
    topic: str | None
    source: str | None
    limit: int | None
    rate: float | None
    share: float
    seed: int
    state: Path | None
    again: bool
    as_json: bool


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
        _fail(f"no such purpose: {', '.join(unknown)}; there are {', '.join(PURPOSES)}", code=2)
    asked = _Asked(
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
        as_json=json,
    )
    _replay(lambda: olist_input(folder, source=source, grants=grants), asked)


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
    asked = _Asked(
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
        as_json=json,
    )
    _replay(lambda: file_input(file), asked)


def _replay(read: Callable[[], Input], asked: _Asked) -> NoReturn:
    # Its warnings about retries would stand between the progress; what comes of them is in the summary.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    started = time.monotonic()
    try:
        settings = settings_of(kafka=asked.kafka, data=asked.data)
        source = with_repeats(read(), share=asked.share, seed=asked.seed)
        topic = asked.topic or settings.intake_topic(asked.source)
        path = asked.state or settings.data / "replay" / f"{topic}-{source.name}-{source.identifies}.json"
        with IntakeProducer(brokers=settings.brokers, topic=topic) as producer:
            known = None if asked.again else load_state(path)
            begin = resume(known, input_id=source.identifies, log_id=producer.log_id)

            def keep(acknowledged: int) -> None:
                save_state(path, ReplayState(input=source.identifies, log=producer.log_id, acknowledged=acknowledged))

            tally = _run(source, asked=asked, settings=settings, producer=producer, begin=begin, keep=keep)
    except (SettingsInvalid, InputUnreadable, OlistUnreadable, StateUnreadable) as error:
        _fail(str(error), code=2)
    except DeliveryFailed as error:
        _fail(str(error), code=3)
    tell(tally, begin, seconds=time.monotonic() - started, as_json=asked.as_json)
    raise typer.Exit(_EXIT[tally.ending] or (1 if tally.refused else 0))


def _run(
    source: Input,
    *,
    asked: _Asked,
    settings: Settings,
    producer: IntakeProducer,
    begin: Resume,
    keep: Callable[[int], None],
) -> Tally:
    door = OPEN_DOOR if asked.source is None else Door(name=asked.source, source=asked.source)
    # The pseudonyms of this check are thrown away, so any key will do.
    pseudonyms = Pseudonyms(secrets.token_bytes(16), region=settings.region)
    precheck = Precheck(
        admission=Admission(pseudonyms=pseudonyms, partitions=1), door=door, clock=lambda: time.time_ns() // 1_000_000
    )
    total = sum(1 for _ in source.lines())
    if asked.limit is not None:
        total = min(total, begin.at + asked.limit)
    with progress_bar() as progress, stoppable() as stop:
        bar = progress.add_task(source.name, total=total, completed=begin.at, rate=0.0)
        course = Course(
            start=begin.at,
            limit=asked.limit,
            stopping=stop.is_set,
            pace=paced(asked.rate, stop),
            told=teller(progress, bar, keep),
        )
        tally = run(source, precheck=precheck, outlet=producer, course=course)
        keep(tally.acknowledged)
    return tally


def _fail(message: str, *, code: int) -> NoReturn:
    Console(stderr=True).print(f"[red]rapport replay:[/red] {escape(message)}")
    raise typer.Exit(code)
