"""`rapport simulate`: what suggestions would be over a population, and what another catalogue would change."""

import json as json_text
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commands.clock import now_ms
from commands.declaring import note_at_the_machine
from commands.garbage import look_for_garbage_rarely
from commands.options import DataFolderOption, StoreOption
from commands.output import JsonOption, console, emit, plain_table
from commands.release import VERSION
from commands.settings import Settings, settings_of
from commands.simulate_page import page_of
from commands.simulate_people import Source, population_of
from profiles.view import PersonView
from recommender.artifact import Artifact, untrained
from recommender.catalogue import Catalogue, load_catalogue
from recommender.model_store import ModelStore
from recommender.receipts import Question
from recommender.simulate import Side, may_be_counted
from recommender.simulate import simulate as simulated
from recommender.simulate_report import SideReport, SimulationReport, report_of
from recommender.suggestion import K_MAX
from recommender.uplift_report import LEAST

_SHOWN: Final = 12
_EVERY: Final = 50
"""How many people lie between two steps of the bar."""


def simulate(
    *,
    source: Annotated[
        Source, typer.Option("--from", help="whom: people as history or the store has them, or made-up ones")
    ] = "history",
    people: Annotated[int | None, typer.Option(min=1, help="at most so many people; demo: 400 without it")] = None,
    against: Annotated[Path | None, typer.Option(help="another catalogue (YAML) to compare with")] = None,
    by: Annotated[list[str] | None, typer.Option(help="an attribute whose groups are compared; again for more")] = None,
    channel: Annotated[str | None, typer.Option(help="where it would be said, such as app or branch")] = None,
    intent: Annotated[str | None, typer.Option(help="what the person wants of the contact, such as cancel")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=K_MAX, help="how many each person gets at most")] = 3,
    seed: Annotated[int, typer.Option(help="which made-up people")] = 7,
    html: Annotated[Path | None, typer.Option(help="write the report with its plots here")] = None,
    redis: StoreOption = None,
    data: DataFolderOption = None,
    json: JsonOption = False,
) -> None:
    """Simulate suggestions: who gets what, what rules remove, who is left without, whom they treat otherwise.

    Only people who let themselves be counted are looked at, and fewer than ten of them are never told of.
    """
    settings, at = settings_of(redis=redis, data=data), now_ms()
    sides = _sides(settings, against)
    is_made_up = source == "demo"
    if not is_made_up:
        note_at_the_machine(settings, None, what="simulation", what_for="audit")

    def permits(view: PersonView) -> bool:
        return is_made_up or may_be_counted(view, at=at)

    look_for_garbage_rarely()
    with _told(quiet=json) as (begin, step):
        population = population_of(settings, source, at=at, most=people, seed=seed)
        begin(population.size)
        found = simulated(
            population.people,
            sides=sides,
            question=Question(channel=channel, k=k, now=at, intent=intent),
            by=by or (),
            permits=permits,
            progress=step,
        )
    report = report_of(found, least=1 if is_made_up else LEAST)
    if html is not None:
        html.write_text(page_of(report, asked=_asked(source, channel=channel, intent=intent, k=k)), encoding="utf-8")
    if json:
        emit(json_text.loads(msgspec.json.encode(report)))
    else:
        _show(report)
        if html is not None:
            console.print(f"with plots: {html}", soft_wrap=True)


def _sides(settings: Settings, against: Path | None) -> list[Side]:
    catalogue = load_catalogue(settings.catalogue)
    artifact = _served(settings, catalogue)
    sides = [Side(name=settings.catalogue.name, artifact=artifact, catalogue=catalogue)]
    if against is not None:
        sides.append(Side(name=against.name, artifact=artifact, catalogue=load_catalogue(against)))
    return sides


def _served(settings: Settings, catalogue: Catalogue) -> Artifact:
    models = ModelStore(settings.models)
    name = models.current()
    return untrained(catalogue, code=VERSION) if name is None else models.load(name)


def _asked(source: Source, *, channel: str | None, intent: str | None, k: int) -> str:
    where = f"on the channel {channel}" if channel else "on no channel in particular"
    whom = {"history": "history", "store": "the store", "demo": "the demo world"}[source]
    return f"People of {whom}, {k} suggestions each {where}" + (f", who come to {intent}." if intent else ".")


@contextmanager
def _told(*, quiet: bool) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """A progress bar: what begins it with the number of people there may be, and what tells how many are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("people", total=None)

        def step(done: int) -> None:
            if done % _EVERY == 0:
                progress.update(task, completed=done)

        yield lambda total: progress.update(task, total=total), step


def _show(report: SimulationReport) -> None:
    for side in report.sides:
        _show_side(side)
    if report.compared is not None:
        compared = report.compared
        console.print(
            f"\n[bold]{report.sides[0].name} to {report.sides[1].name}[/]: {compared.first_changes} people have "
            f"another first suggestion, {compared.list_changes} another list; a first suggestion is taken with "
            f"{-compared.cost:+.4f} of probability",
            soft_wrap=True,
        )
        for moved in compared.moved[:_SHOWN]:
            console.print(f"  {moved.people} from {moved.before} to {moved.after}", soft_wrap=True)
    found = [each for each in report.disparity if each.stands_out]
    if report.disparity:
        console.print(f"\n[bold]groups that stand out[/], {len(found)} of {len(report.disparity)}", soft_wrap=True)
    for each in found[:_SHOWN]:
        console.print(
            f"  {each.attribute} {each.group} ({each.people}): {each.outcome} {each.rate:.0%}, "
            f"{each.difference:+.0%} beside everybody else",
            soft_wrap=True,
            markup=False,
        )
    console.print(
        f"{report.refused} people do not let themselves be counted; counts are whole multiples of {report.least}",
        soft_wrap=True,
    )


def _show_side(side: SideReport) -> None:
    modes = ", ".join(f"{people} {mode}" for mode, people in side.modes.items())
    console.print(f"\n[bold]{side.name}[/]: {side.people} people ({modes})", soft_wrap=True)
    table = plain_table("service", "issue", "first", "share", "shown", "dropped out")
    for each in side.services[:_SHOWN]:
        dropped = ", ".join(f"{stage} {people}" for stage, people in each.dropped.items())
        table.add_row(each.service, each.issue, str(each.first), f"{each.first_share:.0%}", str(each.shown), dropped)
    console.print(table)
    levels = ", ".join(f"{level.stage} {level.services_per_person:.2f}" for level in side.funnel)
    console.print(f"services left per person: {levels}", soft_wrap=True)
    rules = plain_table("stage", "rule", "people", "services per person")
    for rule in side.rules[:_SHOWN]:
        rules.add_row(rule.stage, rule.because, str(rule.people), f"{rule.services_per_person:.2f}")
    console.print(rules)
    left = ", ".join(f"{each.people} after {each.stage}" for each in side.left)
    console.print(
        f"nothing but the fallback: {side.left_people}{f' ({left})' if left else ''}; "
        f"nothing specific: {side.vague_people}; probability of the first: {side.propensity:.3f}",
        soft_wrap=True,
    )
