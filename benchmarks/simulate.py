"""`python -m benchmarks simulate`: what a simulation costs per person, in CPU time of one process.

People of the demo world with their links and consents, the catalogue as it is shipped, and as many services again as
an installation may have; a blend of four parts answers. Reading history and folding it is apart, as it is paid once
for any number of catalogues.
"""

import time
from functools import partial
from itertools import islice
from typing import Annotated, Any, Final

import typer

from benchmarks.options import AgainOption, PageOption, ResultsOption
from benchmarks.recommender_tables import simulate_page
from benchmarks.report import write_results
from benchmarks.results import RESULTS, keep, open_results
from benchmarks.servers import load_average
from benchmarks.serving_world import artifact_of, catalogue_of
from benchmarks.tables import machine_line, show
from commands.simulate_people import made_up
from consent.rules import shipped_rules
from profiles.view import PersonView
from recommender.artifact import untrained
from recommender.catalogue import Catalogue, load_catalogue
from recommender.receipts import Question
from recommender.simulate import Side, may_be_counted, simulate
from tests.builders import NOW
from tests.servers import ROOT

PAGE: Final = ROOT / "docs" / "how-to" / "simulate.md"
SERVICES: Final = 1000
_QUESTION: Final = Question(channel=None, k=3, now=NOW)


def main(
    *,
    people: Annotated[int, typer.Option(help="made-up people")] = 2000,
    rounds: Annotated[int, typer.Option(help="simulations of each kind")] = 3,
    again: AgainOption = False,
    results: ResultsOption = RESULTS,
    page: PageOption = PAGE,
) -> None:
    """Simulate, keep and print the table, and write it into the page."""
    path = results / "simulate.json"
    kept = open_results(path, experiment="simulate", settings={"people": people}, fresh=again)
    done = max((run["round"] for run in kept.runs), default=0)
    if done < rounds:
        views = list(islice(made_up(shipped_rules(), at=NOW, seed=7), people))
        for each in range(done + 1, rounds + 1):
            load = load_average()
            kept.runs.extend({**run, "round": each, "load_average": load} for run in _runs(views))
            keep(kept, path)
    show(simulate_page(kept), title="simulate")
    typer.echo(machine_line(kept))
    write_results(page, results)


def _runs(views: list[PersonView]) -> list[dict[str, Any]]:
    shipped, large = load_catalogue(), catalogue_of(SERVICES)
    sides = {
        "as shipped, not trained": Side(name="", artifact=untrained(shipped, code="benchmark"), catalogue=shipped),
        "as shipped, a blend": _side(shipped),
        f"{SERVICES:,} services, a blend": _side(large),
    }
    return [{"side": name, "people_per_s": round(len(views) / _cpu_s(views, side))} for name, side in sides.items()]


def _side(catalogue: Catalogue) -> Side:
    return Side(name="", artifact=artifact_of(catalogue, dimensions=16), catalogue=catalogue)


def _cpu_s(views: list[PersonView], side: Side) -> float:
    began = time.process_time()
    simulate(
        views,
        sides=[side],
        question=_QUESTION,
        permits=partial(may_be_counted, at=NOW),
        progress=lambda _done: None,
    )
    return time.process_time() - began
