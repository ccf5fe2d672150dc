"""The tables of the recommender: the tournament on real people, and what a simulation costs."""

from typing import Any, Final

from benchmarks.results import Results, spread
from benchmarks.tables import Page, met

TARGETS: Final = {("repeat", "served"): 0.726, ("new", "served"): 0.232}
"""What single rankers reached on completejourney before: own frequency, and item-kNN."""
SIMULATED_PER_S: Final = 2000
LIGHTFM_ALONE: Final = "LightFM alone"
WHOLE_TRAINING: Final = "the whole training"
TRAINING_MOST_S: Final = {LIGHTFM_ALONE: 180, WHOLE_TRAINING: 600}


def recommender_page(results: Results) -> Page:
    """One row per part and task, the served blend last, with its bar where there is one."""
    head = ["task, part", "NDCG@10", "95 % interval", "HR@3", "P@10", "macro recall@3", "weight", "earned", "bar"]
    return Page(head, [_row(run, results.settings["data"]) for run in results.runs])


def simulate_page(results: Results) -> Page:
    """One row for each catalogue and model."""
    head = ["catalogue, model", "people a second and core", "least", "bar"]
    by_side: dict[str, list[float]] = {}
    for run in results.runs:
        by_side.setdefault(run["side"], []).append(run["people_per_s"])
    rows = []
    for side, found in by_side.items():
        rates = spread(found)
        bar = met(rates.median >= SIMULATED_PER_S, f"at least {SIMULATED_PER_S:,}") if "shipped" in side else ""
        rows.append([side, f"{rates.median:,.0f}", f"{rates.least:,.0f}", bar])
    return Page(head, rows)


def training_page(results: Results) -> Page:
    """One row for each step, what all of them take, and the bars of it."""
    head = ["step", "minutes:seconds", "CPU", "memory at most, MiB", "bar"]
    steps = [run for run in results.runs if run["step"] != LIGHTFM_ALONE]
    whole = {
        "step": WHOLE_TRAINING,
        "wall_s": sum(run["wall_s"] for run in steps),
        "cpu_s": sum(run["cpu_s"] for run in steps),
        "rss_mib": max(run["rss_mib"] for run in steps),
    }
    return Page(head, [_step(run) for run in (*results.runs, whole)])


def _step(run: dict[str, Any]) -> list[str]:
    most = TRAINING_MOST_S.get(run["step"])
    return [
        run["step"],
        _minutes(run["wall_s"]),
        _minutes(run["cpu_s"]),
        f"{run['rss_mib']:,}",
        "" if most is None else met(run["wall_s"] <= most, f"at most {_minutes(most)}"),
    ]


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


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
