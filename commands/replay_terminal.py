"""What a replay shows at the terminal and hears from it: progress, the summary, Ctrl-C."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.output import console, emit
from commands.replay_run import Ending, Tally
from commands.replay_state import Resume

_SAVE_EVERY_S: Final = 1.0
_SHOW_EVERY_S: Final = 0.1

_ENDINGS: Final[dict[Ending, str]] = {
    "complete": "Done",
    "limit": "Stopped at the limit",
    "interrupted": "Interrupted; the same command goes on from here",
    "unreadable": "Stopped",
    "undelivered": "Stopped; the same command goes on from here",
}


def paced(rate: float | None, stop: Event) -> Callable[[int], None]:
    """Waits, given how many were sent, until the next one is due at `rate` a second; a stop ends the wait."""
    if rate is None:
        return lambda _sent: None
    started = time.monotonic()

    def wait(sent: int) -> None:
        ahead = started + sent / rate - time.monotonic()
        if ahead > 0:
            stop.wait(ahead)

    return wait


def teller(progress: Progress, bar: TaskID, keep: Callable[[int], None]) -> Callable[[Tally], None]:
    """Shows how far it is, and has the place kept once a second."""
    started = saved = shown = time.monotonic()

    def told(tally: Tally) -> None:
        nonlocal saved, shown
        now = time.monotonic()
        if now - shown < _SHOW_EVERY_S and tally.ending == "under_way":
            return
        shown = now
        rate = (tally.acknowledged - tally.start) / (now - started)
        progress.update(bar, completed=tally.acknowledged, rate=rate)
        if now - saved >= _SAVE_EVERY_S:
            saved = now
            keep(tally.acknowledged)

    return told


def progress_bar() -> Progress:
    """Events, rate and time to go, on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def stoppable() -> Iterator[Event]:
    """The first SIGINT or SIGTERM asks for a stop at the next line; another one ends the process at once."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(_number: int, _frame: object) -> None:
        stop.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()


def tell(tally: Tally, begin: Resume, *, seconds: float, as_json: bool) -> None:
    """Print the summary, for a person or as JSON."""
    if as_json:
        emit(tally.as_json() | {"seconds": round(seconds, 3)})
        return
    done = tally.acknowledged - tally.start
    console.print(
        f"{_ENDINGS[tally.ending]}: {done:,} events dealt with in {seconds:.1f} s "
        f"({tally.sent:,} sent, {tally.repeats:,} of them repeats), begun {begin.reason}"
    )
    if tally.detail:
        console.print(escape(tally.detail), style="red")
    if tally.handled == tally.start and tally.ending == "complete":
        console.print("Nothing was left to send; --again sends everything once more.")
    if tally.refused:
        table = Table("refused", "lines", "first at", "what is wrong", title=f"{tally.refused_count:,} lines not sent")
        for code, each in sorted(tally.refused.items()):
            table.add_row(code, f"{each.count:,}", ", ".join(map(str, each.lines)), escape(each.detail))
        console.print(table)
