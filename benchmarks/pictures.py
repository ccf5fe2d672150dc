"""Result pictures: one bar or dot per contender, its spread over the rounds drawn on it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from matplotlib import rcParams
from matplotlib.figure import Figure

from benchmarks.results import Results, Spread, spread

INK: Final = "#3b4754"
OURS: Final = "#1f6f5c"
OTHERS: Final = "#9fb4c7"
STORE: Final = "#d08c3f"
ASKED: Final = {"repeat": "what they take next, repeats allowed", "new": "what they take that they never took"}


class Bar(NamedTuple):
    """One row of a picture."""

    name: str
    figure: Spread


def draw_rates(results: Results, path: Path) -> None:
    """Events per second of each contender."""
    names = list(dict.fromkeys(run["contender"] for run in results.runs))
    rows = [Bar(name, _figure(results, name, "events_per_s")) for name in names]
    _draw(rows, path, label=f"events per second, one process, appendfsync {results.settings['fsync']}", form="{:,.0f}")


def draw_costs(results: Results, path: Path) -> None:
    """CPU time per event of each contender's process, and of the store for it."""
    names = list(dict.fromkeys(run["contender"] for run in results.runs))
    client = [_figure(results, name, "client_us").median for name in names]
    store = [_figure(results, name, "store_us").median for name in names]
    figure, axes = _axes(len(names))
    places = range(len(names))
    axes.barh(places, client, color=[_color(name) for name in names])
    axes.barh(places, store, left=client, color=STORE)
    for at, (ours, theirs) in enumerate(zip(client, store, strict=True)):
        axes.text(ours + theirs, at, f"  {ours:.0f} + {theirs:.1f}", va="center", color=INK, fontsize=9)
    axes.set_xlim(0, max(a + b for a, b in zip(client, store, strict=True)) * 1.2)
    _finish(figure, axes, names, path, label="µs of CPU per event: the process, and the store (orange)")


def draw_latency(results: Results, path: Path) -> None:
    """Percentiles of each contender."""
    names = list(dict.fromkeys(run["contender"] for run in results.runs))
    rows = [
        Bar(f"{name}, {field}", spread([run[field] for run in results.runs if run["contender"] == name]))
        for field in ("p50", "p99", "p99.9")
        for name in names
    ]
    _draw(rows, path, label=f"ms from due to readable at {results.settings['rate']:,} facts/s", form="{:.1f}")


def draw_rankers(results: Results, path: Path) -> None:
    """NDCG@10 of each ranker and of the blend that is served, with its interval: a part of the picture per task."""
    by_task = {run["task"]: [other for other in results.runs if other["task"] == run["task"]] for run in results.runs}
    figure, parts = _sheet([len(runs) for runs in by_task.values()], row_height=0.3)
    for axes, (task, runs) in zip(parts, by_task.items(), strict=True):
        for at, run in enumerate(runs):
            axes.plot([run["ndcg_low"], run["ndcg_high"]], [at, at], color=OTHERS, linewidth=4)
            axes.plot(run["ndcg"], at, "o", color=OURS if run["part"] == "served" else INK, markersize=6)
            axes.text(run["ndcg_high"], at, f"  {run['ndcg']:.3f}", va="center", color=INK, fontsize=9)
        _label(axes, [run["part"] for run in runs], label=f"NDCG@10 and its 95 % interval: {ASKED[task]}")
    _save(figure, path)


def _figure(results: Results, name: str, field: str) -> Spread:
    return spread([run[field] for run in results.runs if run["contender"] == name])


def _draw(rows: Sequence[Bar], path: Path, *, label: str, form: str) -> None:
    figure, axes = _axes(len(rows))
    for at, (name, told) in enumerate(rows):
        axes.barh(at, told.median, color=_color(name))
        axes.plot([told.least, told.most], [at, at], color=INK, linewidth=2)
        axes.text(max(told.most, told.median), at, "  " + form.format(told.median), va="center", color=INK, fontsize=9)
    axes.set_xlim(0, max(row.figure.most for row in rows) * 1.2)
    _finish(figure, axes, [row.name for row in rows], path, label=label)


def _color(name: str) -> str:
    return OURS if name.startswith("ours") else OTHERS


def _axes(rows: int) -> tuple[Any, Any]:
    figure, (axes,) = _sheet([rows], row_height=0.4)
    return figure, axes


def _sheet(rows: Sequence[int], *, row_height: float) -> tuple[Any, Any]:
    # The same results give the same bytes.
    rcParams["svg.hashsalt"] = "rapport"
    rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(8, 0.9 * len(rows) + row_height * sum(rows)))
    return figure, figure.subplots(nrows=len(rows), height_ratios=rows, squeeze=False)[:, 0]


def _finish(figure: Any, axes: Any, names: Sequence[str], path: Path, *, label: str) -> None:
    _label(axes, names, label=label)
    _save(figure, path)


def _label(axes: Any, names: Sequence[str], *, label: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_title(label, loc="left", color=INK, fontsize=10)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="both", length=0, labelcolor=INK)
    axes.xaxis.set_visible(False)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
