"""The table of the tournament on real people: a row for each part and task."""

from typing import Any, Final

from benchmarks.results import Results
from benchmarks.tables import Page, met

TARGETS: Final = {("repeat", "served"): 0.726, ("new", "served"): 0.232}
"""What single rankers reached on completejourney before: own frequency, and item-kNN."""


def recommender_page(results: Results) -> Page:
    """One row per part and task, the served blend last, with its bar where there is one."""
    head = ["task, part", "NDCG@10", "95 % interval", "HR@3", "P@10", "macro recall@3", "weight", "earned", "bar"]
    return Page(head, [_row(run, results.settings["data"]) for run in results.runs])


def _row(run: dict[str, Any], data: str) -> list[str]:
    bar = TARGETS.get((run["task"], run["part"])) if data == "completejourney" else None
    return [
        f"{run['task']}, {run['part']}",
        f"{run['ndcg']:.3f}",
        f"{run['ndcg_low']:.3f}-{run['ndcg_high']:.3f}",
        *(f"{run[name]:.3f}" for name in ("hit_rate", "precision", "macro_recall")),
        f"{run['weight']:.2f}" if run["weight"] and run["part"] != "served" else "",
        "" if run["earned"] is None else f"{run['earned']:+.4f}",
        "" if bar is None else met(run["ndcg"] >= bar, f"at least {bar:g}"),
    ]
