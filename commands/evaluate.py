"""`rapport evaluate FILE`: every ranker on your own data, what would be served, and what that is worth."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from commands.evaluate_attributes import features_of
from commands.evaluate_input import (
    ITEM,
    PERSON,
    Columns,
    Left,
    TableUnusable,
    Takings,
    read_described,
    read_pairs,
    read_takings,
    takings_of,
)
from commands.evaluate_report import TITLES, earned_of, said, table_of
from commands.evaluate_times import moment_like
from commands.output import JsonOption, console, emit
from recommender.interactions import Interactions, interactions
from recommender.rankers import lightfm_identity
from recommender.tournament import Outcome, tournament
from recommender.tournament import Progress as Told
from recommender.tournament_split import split_for

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
    json: JsonOption = False,
) -> None:
    """Let all rankers compete on your data, blend and gate them as training does, and say which is worth serving."""
    columns = Columns(person=person, item=item, time=time, quantity=quantity)
    takings, left = takings_of(file, columns), Left()
    data = _data(takings, left, columns=columns, attributes=attributes, services=services, eligible=eligible)
    split = split_for(
        data,
        timed=takings.time is not None,
        seed=seed,
        validate_from=_moment(validate_from),
        test_from=_moment(test_from),
    )
    with _progress() as told:
        outcome = tournament(split, reported=COMPARED, people_max=people_max, progress=told)
    if json:
        emit(said(outcome, data=data, left=left))
        return
    _show(outcome, data=data, takings=takings, left=left)


def _data(
    takings: Takings,
    left: Left,
    *,
    columns: Columns,
    attributes: Path | None,
    services: Path | None,
    eligible: Path | None,
) -> Interactions:
    people = read_described(attributes, given=columns.person, names=PERSON, option="--person") if attributes else {}
    items = read_described(services, given=columns.item, names=ITEM, option="--item") if services else {}
    data = interactions(
        read_takings(takings, left),
        features=features_of(people),
        item_features=features_of(items),
        eligible=read_pairs(eligible, columns) if eligible else None,
    )
    if len(data.items) < _ITEMS_MIN or not len(data):
        raise TableUnusable(
            f"{takings.table.path.name}: {len(data):,} rows of {len(data.items)} services: nothing to rank"
        )
    # How much was taken at once says little of how often; unless it is asked for, a basket is one purchase.
    return data.once() if takings.time is not None and columns.quantity is None else data


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


def _show(outcome: Outcome, *, data: Interactions, takings: Takings, left: Left) -> None:
    header = takings.table.header
    places = {"person": takings.person, "service": takings.item, "time": takings.time, "quantity": takings.quantity}
    named = ", ".join(f"{what} from {header[place]!r}" for what, place in places.items() if place is not None)
    console.print(f"{len(data):,} rows of {len(data.people):,} people and {len(data.items):,} services ({named})")
    for reason, count in left.reasons.items():
        lines = ", ".join(str(line) for line, why in left.lines if why == reason)
        console.print(f"left out: {count:,} rows, {reason}" + (f" (first on lines {lines})" if lines else ""))
    console.print(f"judged on {outcome.how}\n")
    for task, verdict in outcome.verdicts.items():
        console.print(f"[bold]{TITLES[task]}[/]: {verdict.people:,} people, {verdict.answers:,} answers")
        console.print(table_of(verdict))
        weights = outcome.recipe.repeat if task == "repeat" else outcome.recipe.new
        console.print(f"served: {earned_of(verdict, weights)}")
        if verdict.best is not None and verdict.difference is not None:
            console.print(f"against the best part, {verdict.best}: NDCG@10 {verdict.difference}\n")
    for reason in outcome.reasons:
        console.print(f"- {reason}")
    for label, why in outcome.unsuitable.items():
        console.print(f"- {label} did not take part: {why}")
