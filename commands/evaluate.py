"""`rapport evaluate FILE`: every ranker on your own data, what would be served, and what that is worth."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from commands.evaluate_attributes import features_of
from commands.evaluate_columns import ITEM, PERSON
from commands.evaluate_input import (
    Columns,
    Left,
    Takings,
    met_in,
    read_described,
    read_pairs,
    read_takings,
    table_of,
    takings_of,
)
from commands.evaluate_page import page_of
from commands.evaluate_report import TITLES, against, earned_of, notes_of, said, verdict_table
from commands.evaluate_table import TableUnusable
from commands.evaluate_times import moment_like
from commands.evaluate_wide import Wide, first_had, read_wide, wide_of
from commands.output import JsonOption, console, emit
from events.shape import format_time
from recommender.interactions import Interactions, interactions, with_features
from recommender.rankers import lightfm_identity
from recommender.tournament import Outcome, tournament
from recommender.tournament import Progress as Told
from recommender.tournament_split import Order, Split, split_for

_ITEMS_MIN: Final = 2
COMPARED: Final = {lightfm_identity.LABEL: lightfm_identity.fit}
"""Told beside the others; it could not be served."""


def evaluate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV of who took what, .gz or not")],
    *,
    person: Annotated[str | None, typer.Option(help="column of people (name, or number without a header)")] = None,
    item: Annotated[str | None, typer.Option(help="column of services")] = None,
    time: Annotated[str | None, typer.Option(help="column of times")] = None,
    quantity: Annotated[str | None, typer.Option(help="column of how many were taken, to count by it")] = None,
    attributes: Annotated[Path | None, typer.Option(help="CSV: person, then what is known of them")] = None,
    services: Annotated[Path | None, typer.Option(help="CSV: service, then what is known of it")] = None,
    eligible: Annotated[Path | None, typer.Option(help="CSV of person and service: who may have what")] = None,
    validate_from: Annotated[str | None, typer.Option(help="choose plans by what came from this time on")] = None,
    test_from: Annotated[str | None, typer.Option(help="judge by what came from this time on")] = None,
    seed: Annotated[int, typer.Option(help="of what is left to chance")] = 1,
    people_max: Annotated[int, typer.Option(min=1, help="ask so many people at most")] = 5000,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, writable=True, help="write the tables with plots here, as one HTML page"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Let all rankers compete on your data, blend and gate them as training does, and say which is worth serving."""
    if report is not None and not report.parent.is_dir():
        raise typer.BadParameter(f"{report.parent} is no folder")
    columns = Columns(person=person, item=item, time=time, quantity=quantity)
    table, left = table_of(file, columns), Left()
    source = wide_of(table, columns) or takings_of(table, columns)
    with _progress() as told:
        told("reading", 0, 1)
        data, met = _data(source, left, columns=columns, attributes=attributes, services=services, eligible=eligible)
        split = _split(
            data,
            order=_order(source, data),
            seed=seed,
            validate_from=_moment(validate_from),
            test_from=_moment(test_from),
        )
        outcome = tournament(split, reported=COMPARED, people_max=people_max, progress=told)
    lines = [*_read(source, data=data, left=left), *met]
    if report is not None:
        report.write_text(page_of(outcome, title=file.name, read=lines), encoding="utf-8")
    if json:
        emit(said(outcome, data=data, left=left))
        return
    _show(outcome, lines)
    if report is not None:
        console.print(f"with plots: {report}", soft_wrap=True)


def _data(
    source: Takings | Wide,
    left: Left,
    *,
    columns: Columns,
    attributes: Path | None,
    services: Path | None,
    eligible: Path | None,
) -> tuple[Interactions, list[str]]:
    """All that is told in the files, and how many of the people and services the others tell of."""
    people = read_described(attributes, given=columns.person, names=PERSON, option="--person") if attributes else {}
    items = read_described(services, given=columns.item, names=ITEM, option="--item") if services else {}
    # A pattern names the columns of the wide table, and none of another.
    of_pairs = replace(columns, item=None) if isinstance(source, Wide) else columns
    pairs = read_pairs(eligible, of_pairs) if eligible else None
    told: dict[str, dict[str, str]] = {}
    rows = read_wide(source, left, told) if isinstance(source, Wide) else read_takings(source, left)
    made = interactions(rows, item_features=features_of(items), eligible=pairs, features=features_of(people))
    if told and not people:
        made = with_features(made, features_of(told))
    if len(made.items) < _ITEMS_MIN or not len(made):
        raise TableUnusable(
            f"{source.table.path.name}: {len(made):,} rows of {len(made.items)} services: nothing to rank"
        )
    known = {
        "people": {made.people[row] for row in np.unique(made.person)},
        "services": {made.items[column] for column in np.unique(made.item)},
    }
    told_of = (
        (attributes, people, "people"),
        (services, items, "services"),
        (eligible, {who for who, _ in pairs or ()}, "people"),
        (eligible, {what for _, what in pairs or ()}, "services"),
    )
    met = [met_in(path, names, of=known[what], what=what) for path, names, what in told_of if path is not None]
    if isinstance(source, Wide):
        return first_had(made), met
    # How much was taken at once says little of how often; unless it is asked for, a basket is one purchase.
    return made.once() if source.time is not None and columns.quantity is None else made, met


def _split(data: Interactions, *, order: Order, seed: int, validate_from: int | None, test_from: int | None) -> Split:
    """The split; refused where moments are given and leave nothing to fit, to choose or to judge by."""
    if test_from is None and validate_from is None:
        return split_for(data, order=order, seed=seed)
    if test_from is None:
        raise typer.BadParameter("--validate-from needs --test-from: how long to choose by follows from both")
    if order == "none":
        raise typer.BadParameter("--test-from needs times, and there are none: name their column with --time")
    split = split_for(data, order=order, seed=seed, validate_from=validate_from, test_from=test_from)
    stretches = {"fit": split.validation.known, "choose": split.validation.taken, "judge": split.test.taken}
    for what, rows in stretches.items():
        if not len(rows):
            first, last = (format_time(int(at))[:10] for at in (data.at.min(), data.newest))
            raise typer.BadParameter(
                f"nothing is left to {what} by: the table is of {first} to {last}; choose another --test-from, or "
                "--validate-from (if that is not given, there is as long a time to choose by as to judge by)"
            )
    return split


def _order(source: Takings | Wide, data: Interactions) -> Order:
    """What tells which rows came first."""
    if source.time is None or data.newest == int(data.at.min()):
        return "none"
    return "own" if isinstance(source, Takings) and source.is_numbered else "time"


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    way = moment_like([text])
    if way is None:
        raise typer.BadParameter(f"{text!r} is no time: write it such as 2025-03-31")
    return way(text)


@contextmanager
def _progress() -> Iterator[Told]:
    columns = (TextColumn("{task.description:45}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task: Any = progress.add_task("", total=None)
        yield lambda step, done, total: progress.update(task, description=step, completed=done, total=total)


def _read(source: Takings | Wide, *, data: Interactions, left: Left) -> list[str]:
    """What was read, from which columns, and what was left out."""
    header = source.table.header
    named = ", ".join(f"{what} from {header[place]!r}" for what, place in source.places().items())
    if isinstance(source, Wide):
        named += f", services from {header[source.items[0]]!r} to {header[source.items[-1]]!r}"
        named += f", {len(source.others)} more columns tell of people" if source.others else ""
    if source.time is None and source.table.has_header:
        named += "; no times were found: their column can be named with --time"
    if not source.table.has_header:
        named += "; columns are numbered, as there is no header"
    lines = [f"{len(data):,} rows of {len(data.people):,} people and {len(data.items):,} services ({named})"]
    for reason, count in left.reasons.items():
        first = ", ".join(str(line) for line, why, _ in left.lines if why == reason)
        lines.append(f"left out: {count:,} rows, {reason}" + (f" (first on lines {first})" if first else ""))
    return lines


def _show(outcome: Outcome, lines: list[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)
    console.print(f"judged on {outcome.how}\n", soft_wrap=True)
    for task, verdict in outcome.verdicts.items():
        console.print(f"[bold]{TITLES[task]}[/]: {verdict.people:,} people, {verdict.answers:,} answers")
        console.print(verdict_table(verdict))
        console.print(f"served: {earned_of(task, outcome)}", soft_wrap=True)
        for line in against(verdict):
            console.print(line, soft_wrap=True)
        console.print()
    for reason in notes_of(outcome):
        console.print(f"- {reason}", soft_wrap=True)
