"""`python -m benchmarks report`: the results into docs/explanation/speed.md, between marks, and the pictures beside it.

What stands outside the marks is written by hand and stays.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from benchmarks.ledger import ledger_page
from benchmarks.options import PageOption, ResultsOption
from benchmarks.pictures import draw_costs, draw_latency, draw_rankers, draw_rates
from benchmarks.recommender_tables import recommender_page, simulate_page, training_page
from benchmarks.results import RESULTS, Results
from benchmarks.tables import (
    Page,
    latency_page,
    machine_line,
    markdown,
    pipeline_page,
    recovery_page,
    workers_page,
)
from tests.servers import ROOT

SPEED: Final = ROOT / "docs" / "explanation" / "speed.md"
PICTURES: Final = ROOT / "docs" / "pictures"

PAGES: Final[dict[str, Callable[[Results], Page]]] = {
    "pipeline": pipeline_page,
    "latency": latency_page,
    "workers": workers_page,
    "recovery": recovery_page,
    "ledger": ledger_page,
    "recommender": recommender_page,
    "simulate": simulate_page,
    "training": training_page,
}
"""Experiment -> its table."""

DRAWINGS: Final[dict[str, dict[str, Callable[[Results, Path], None]]]] = {
    "pipeline-always": {"speed-rates.svg": draw_rates, "speed-costs.svg": draw_costs},
    "latency-always": {"speed-latency.svg": draw_latency},
    "recommender-completejourney": {"rankers-completejourney.svg": draw_rankers},
    "recommender-olist": {"rankers-olist.svg": draw_rankers},
}
"""Result file -> its pictures."""

_MARKED: Final = re.compile(r"(<!-- results: (?P<name>[a-z-]+) -->\n)(?:.*?\n)?(<!-- end -->)", re.DOTALL)


class NothingMeasured(Exception):
    """There are no results to report."""


def main(
    *,
    results: ResultsOption = RESULTS,
    page: PageOption = SPEED,
    pictures: Annotated[Path, typer.Option(help="folder of the pictures")] = PICTURES,
) -> None:
    """Write the tables into the page, and draw the pictures."""
    kept = write_results(page, results)
    if not kept:
        raise NothingMeasured(f"no results in {results}: measure first")
    for name, drawings in DRAWINGS.items():
        if name in kept:
            for file, draw in drawings.items():
                draw(kept[name], pictures / file)


def write_results(page: Path, results: Path) -> dict[str, Results]:
    """Fill every mark of the page by what the folder holds, and return that: file -> results."""
    found = {path.stem: msgspec.json.decode(path.read_bytes()) for path in sorted(results.glob("*.json"))}
    kept = {name: msgspec.convert(said, Results) for name, said in found.items() if said.get("experiment") in PAGES}
    if kept:
        page.write_text(with_results(page.read_text(), kept))
    return kept


def with_results(text: str, kept: dict[str, Results]) -> str:
    """The page with every marked place filled; one without results says so."""

    def filled(found: re.Match[str]) -> str:
        told = kept.get(found["name"])
        return found[1] + (block(told) if told else "Not measured yet.\n") + found[3]

    return _MARKED.sub(filled, text)


def block(results: Results) -> str:
    """The table of one experiment, with where it was measured and how often."""
    rounds = max(run["round"] for run in results.runs)
    loads = [run["load_average"] for run in results.runs]
    store = next((run["store"] for run in results.runs if "store" in run), "")
    measured = (f"Medians of {rounds} rounds; " if rounds > 1 else "") + machine_line(results)
    return (
        f"{markdown(PAGES[results.experiment](results))}\n\n"
        f"{measured}{', ' + store if store else ''}; load average before a run {min(loads)}-{max(loads)}.\n"
    )
