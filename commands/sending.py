"""Sending an input to an intake topic from the terminal: with a bar, stoppable, and resumed where it ended.

Exit codes: 0 everything is acknowledged; 1 something was refused, the rest is acknowledged; 2 the input or an option
cannot be used; 3 the broker or the topic is not there or did not acknowledge; 130 interrupted.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from commands.olist import OlistUnreadable
from commands.replay_input import Input, InputUnreadable, with_repeats
from commands.replay_run import Course, Ending, Precheck, Tally, run
from commands.replay_state import ReplayState, Resume, StateUnreadable, load_state, resume, save_state
from commands.replay_terminal import paced, progress_bar, stoppable, teller
from commands.settings import Settings, SettingsInvalid, settings_of
from events.admission import INTAKE as OPEN_DOOR
from events.admission import Admission, Door
from events.pseudonyms import Pseudonyms
from streams.producer import DeliveryFailed, IntakeProducer

EXIT: Final[dict[Ending, int]] = {"complete": 0, "limit": 0, "unreadable": 2, "undelivered": 3, "interrupted": 130}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a command is asked for; `source` None is the open intake, `share` of the events is sent twice."""

    kafka: str | None
    data: str | None
    source: str | None
    limit: int | None
    rate: float | None
    state: Path | None
    again: bool
    topic: str | None = None
    share: float = 0.0
    seed: int = 0


class Sent(NamedTuple):
    """What became of it, where it began, and how long it took."""

    tally: Tally
    begin: Resume
    seconds: float

    @property
    def code(self) -> int:
        """The exit code."""
        return EXIT[self.tally.ending] or (1 if self.tally.refused else 0)


def send(read: Callable[[], Input], asked: Asked, *, command: str) -> Sent:
    """Send what `read` gives; typer.Exit with a sentence in the name of the command where that cannot be."""
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
        fail(command, str(error), code=2)
    except DeliveryFailed as error:
        fail(command, str(error), code=3)
    return Sent(tally, begin, time.monotonic() - started)


def fail(command: str, message: str, *, code: int) -> NoReturn:
    """End the command with a sentence on standard error."""
    Console(stderr=True).print(f"[red]{command}:[/red] {escape(message)}")
    raise typer.Exit(code)


def _run(
    source: Input,
    *,
    asked: Asked,
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
