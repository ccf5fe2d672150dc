"""Result tables: medians, spread, and each bar beside what was measured."""

from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.results import Results, Spread, spread


class Bar(NamedTuple):
    """How often ours must do what this contender does, and how often it should."""

    least: float
    goal: float


BARS: Final = {
    "raw loop": Bar(0.8, 1.0),
    "lean loop": Bar(1.0, 1.5),
    "quixstreams": Bar(1.2, 1.5),
    "no-op Faust agent": Bar(4, 5),
    "obvious Faust agent": Bar(12, 15),
}
SEALED: Final = "ours on sealed facts"
SEALED_LEAST: Final = 0.7
"""Of the rate in the clear."""
STORE_US_MAX: Final = 10.0
WIDTH: Final = 140
LATENCY_MOST: Final = 2.0
SHARING_MOST: Final = 1.15

Rows = list[list[str]]


class Page(NamedTuple):
    """A table before it is drawn: on a terminal, or in Markdown."""

    head: list[str]
    rows: Rows


def pipeline_page(results: Results) -> Page:
    """One row per contender, with the ratio of ours to it by rounds and the bar it is held to."""
    names = list(dict.fromkeys(run["contender"] for run in results.runs))
    head = ["contender", "events/s", "spread", "client µs", "store µs", "RSS MiB", "bytes/person"]
    head += ["ours is", "bar", "goal"]
    rows = [_pipeline_row(results, name) for name in names]
    return Page(head, rows)


def _pipeline_row(results: Results, name: str) -> list[str]:
    rate = figures(results, name, "events_per_s")
    bytes_each = [
        run["bytes_per_person"] for run in results.runs if run["contender"] == name and "bytes_per_person" in run
    ]
    row = [name, f"{rate.median:,.0f}", f"{rate.least:,.0f}-{rate.most:,.0f}"]
    row += [f"{figures(results, name, field).median:.1f}" for field in ("client_us", "store_us")]
    row.append(f"{figures(results, name, 'rss_mib').median:.0f}")
    row.append(f"{spread(bytes_each).median:,.0f}" if bytes_each else "")
    ratio, bar = ratio_to(results, name), BARS.get(name)
    if name == SEALED and ratio is not None:
        most = 1 / SEALED_LEAST
        return [*row, f"{ratio.median:.2f}x", met(ratio.median <= most, f"at most {most:.2f}x"), ""]
    if bar is None or ratio is None:
        return [*row, "", "", ""]
    return [
        *row,
        f"{ratio.median:.2f}x",
        met(ratio.median >= bar.least, f"{bar.least:g}x"),
        met(ratio.median >= bar.goal, f"{bar.goal:g}x"),
    ]


def figures(results: Results, name: str, field: str) -> Spread:
    """One figure of one contender over all rounds."""
    return spread([run[field] for run in results.runs if run["contender"] == name])


def ratio_to(results: Results, name: str) -> Spread | None:
    """Our rate divided by this contender's, round by round; None where the two have no round in common."""
    by_round = {
        number: {run["contender"]: run["events_per_s"] for run in results.runs if run["round"] == number}
        for number in {run["round"] for run in results.runs}
    }
    ratios = [rates["ours"] / rates[name] for rates in by_round.values() if {"ours", name} <= rates.keys()]
    return spread(ratios) if ratios else None


def met(is_met: bool, what: str) -> str:  # noqa: FBT001
    """A bar with whether it holds."""
    return f"{what} {'met' if is_met else 'missed'}"


def machine_line(results: Results) -> str:
    """Where and on what it was measured, in one line."""
    told = results.machine
    libraries = ", ".join(f"{name} {number}" for name, number in told["libraries"].items())
    return (
        f"{told['measured']} UTC, {told['cores']} cores of {told['processor']}, {told['memory_gib']} GiB, "
        f"{told['system']}, Python {told['python']}, {libraries}; commit {told['commit']}; "
        f"load average before {told['load_average']}"
    )


def markdown(page: Page) -> str:
    """The page as a Markdown table; figures stand to the right."""
    lines = [page.head, ["---"] + ["---:"] * (len(page.head) - 1), *page.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def show(page: Page, *, title: str) -> None:
    """Print a page."""
    table = Table(title=title)
    for at, column in enumerate(page.head):
        table.add_column(column, justify="right" if at else "left")
    for row in page.rows:
        table.add_row(*row)
    Console(width=WIDTH).print(table)


def show_pipeline(results: Results) -> None:
    """Print the pipeline's table."""
    show(pipeline_page(results), title=f"pipeline, appendfsync {results.settings['fsync']}")
    Console(width=WIDTH).print(machine_line(results))


def latency_page(results: Results) -> Page:
    """One row per contender; the bar compares the medians of the rounds' 99th percentiles."""
    names = list(dict.fromkeys(run["contender"] for run in results.runs))
    rows = []
    for name in names:
        row = [name]
        for field in ("p50", "p99", "p99.9", "most"):
            told = figures(results, name, field)
            row.append(f"{told.median:.1f} ({told.least:.1f}-{told.most:.1f})")
        rows.append(row)
    if {"ours", "raw loop"} <= set(names):
        ratio = figures(results, "ours", "p99").median / figures(results, "raw loop", "p99").median
        rows.append(["ours to raw loop", "", f"{ratio:.2f}x; {met(ratio <= LATENCY_MOST, 'at most 2x')}", "", ""])
    return Page(["ms from due to readable", "p50", "p99", "p99.9", "greatest"], rows)


def show_latency(results: Results) -> None:
    """Print the table of latency."""
    told = results.settings
    show(latency_page(results), title=f"latency at {told['rate']:,} facts/s, appendfsync {told['fsync']}")
    Console(width=WIDTH).print(machine_line(results))


def workers_page(results: Results) -> Page:
    """One row per number of workers, the last with the speed-up and the cost of sharing."""
    rows = []
    for count in sorted({run["workers"] for run in results.runs}):
        runs = [run for run in results.runs if run["workers"] == count]
        rate = spread([run["events_per_s"] for run in runs])
        cost = [spread([run[field] for run in runs]).median for field in ("client_us", "store_us", "store_share")]
        row = [str(count), f"{rate.median:,.0f}", f"{rate.least:,.0f}-{rate.most:,.0f}"]
        rows.append([*row, f"{cost[0]:.1f}", f"{cost[1]:.1f}", f"{cost[2]:.0%}"])
    if len(rows) > 1:
        one, two = ([run for run in results.runs if run["workers"] == count] for count in (1, 2))
        faster = (
            spread([run["events_per_s"] for run in two]).median / spread([run["events_per_s"] for run in one]).median
        )
        dearer = spread([run["client_us"] for run in two]).median / spread([run["client_us"] for run in one]).median
        bar = met(dearer <= SHARING_MOST, f"at most {SHARING_MOST:g}x")
        rows.append(["two to one", f"{faster:.2f}x", "", f"{dearer:.2f}x; {bar}", "", ""])
    return Page(["workers", "events/s", "spread", "client µs", "store µs", "of a core in the store"], rows)


def show_workers(results: Results) -> None:
    """Print the table of one worker and two."""
    show(workers_page(results), title="one worker process and two")
    Console(width=WIDTH).print(machine_line(results))


def recovery_page(results: Results) -> Page:
    """One row per case: its own cold start, the time to the next event, and the bar."""
    rows = []
    for name in dict.fromkeys(run["case"] for run in results.runs):
        runs = [run for run in results.runs if run["case"] == name]
        cold, again = (spread([run[field] for run in runs]) for field in ("cold_start_s", "recovered_s"))
        row = [name, f"{cold.median:.1f}", f"{again.median:.1f}", f"{again.least:.1f}-{again.most:.1f}"]
        rows.append([*row, _recovery_bar(name, results.settings["session_timeout_s"], cold, again)])
    return Page(["s", "cold start", "next event applied", "spread", "bar"], rows)


def _recovery_bar(name: str, session_timeout_s: float, cold: Spread, again: Spread) -> str:
    if "static" in name:
        return met(again.median <= cold.median + 2, f"at most {cold.median + 2:.1f} (its cold start + 2)")
    if "worker" in name:
        return met(again.median <= session_timeout_s + 5, f"at most {session_timeout_s + 5:g} (session timeout + 5)")
    return ""


def show_recovery(results: Results) -> None:
    """Print the table of recovery."""
    show(
        recovery_page(results),
        title=f"from a kill -9 to the next event applied, at {results.settings['rate']:,} facts/s",
    )
    Console(width=WIDTH).print(machine_line(results))
