"""The report of a simulation as one HTML page: plots drawn in it, nothing loaded from anywhere."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from commands import html
from recommender.simulate_report import Disparity, SideReport, SimulationReport

_MOST: Final = 40
"""Rows of a plot."""

Bar = tuple[str, float, str]
"""A name, a length, and what is written behind it."""


def page_of(report: SimulationReport, *, asked: str) -> str:
    """The page; `asked` says what was simulated."""
    parts = [
        html.head("What suggestions would be", asked),
        f"<p class=muted>{report.refused} people do not let themselves be counted and are in no figure. ",
        f"Counts are whole multiples of {report.least}, rounded down.</p>",
    ]
    for side in report.sides:
        parts += _side(side, is_one=len(report.sides) == 1)
    if report.compared is not None:
        parts += _compared(report)
    if report.disparity:
        parts += _disparity(report)
    return "".join([*parts, "</html>"])


def _side(side: SideReport, *, is_one: bool) -> Iterator[str]:
    name = "" if is_one else f"{escape(side.name)}: "
    modes = ", ".join(f"{people} {mode}" for mode, people in side.modes.items())
    yield f"<h2>{name}who gets what first</h2><p>{side.people} people ({escape(modes)}). A first suggestion is taken "
    yield f"with a probability of {side.propensity:.3f} on average, by the model {side.model[:12]}.</p>"
    most = [each for each in side.services if each.first][:_MOST]
    yield _bars([(each.service, each.first_share, f"{each.first_share:.0%} ({each.issue})") for each in most])
    total = max(sum(side.issues.values()), 1)
    yield f"<h2>{name}by issue</h2>"
    yield _bars([(issue, people / total, str(people)) for issue, people in side.issues.items()])
    yield f"<h2>{name}what is left after each stage</h2>"
    highest = max(side.funnel[0].services_per_person, 1e-9)
    yield _bars(
        [
            (level.stage, level.services_per_person / highest, f"{level.services_per_person:.2f} services per person")
            for level in side.funnel
        ]
    )
    yield f"<h2>{name}what each rule removes</h2>"
    rows = [(each.stage, each.because, str(each.people), f"{each.services_per_person:.2f}") for each in side.rules]
    yield html.table(("stage", "rule", "people", "services per person"), rows)
    yield f"<h2>{name}who is left without</h2><p>{side.left_people} people have nothing but the fallback; "
    yield f"{side.vague_people} are offered nothing that is specific to them.</p>"
    yield html.table(("the last was taken at", "people"), [(each.stage, str(each.people)) for each in side.left])


def _compared(report: SimulationReport) -> Iterator[str]:
    compared = report.compared
    if compared is None:
        return
    before, after = report.sides[:2]
    yield f"<h2>From {escape(before.name)} to {escape(after.name)}</h2><p>{compared.first_changes} people have another "
    yield f"first suggestion, {compared.list_changes} another list. A first suggestion is taken with "
    yield f"{-compared.cost:+.4f} of probability.</p>"
    rows = [(each.before, each.after, str(each.people)) for each in compared.moved[:_MOST]]
    yield html.table(("before", "after", "people"), rows)


def _disparity(report: SimulationReport) -> Iterator[str]:
    yield "<h2>Groups of people</h2><p>How often an outcome is a group's, with its 95&nbsp;% interval; the line is how "
    yield "often it is everybody else's. What stands out is red. It says that groups are treated otherwise, not why."
    yield f" {report.hidden_groups} groups of fewer than {report.least} people are not shown.</p>"
    by_outcome: dict[tuple[str, str], list[Disparity]] = {}
    for each in report.disparity:
        by_outcome.setdefault((each.attribute, each.outcome), []).append(each)
    for (attribute, outcome), found in by_outcome.items():
        yield f"<h3>{escape(attribute)}: {escape(outcome)}</h3>{_intervals(found[:_MOST])}"


def _bars(rows: Sequence[Bar]) -> str:
    drawn = [
        html.label(name, x=0, row=row)
        + f'<rect x="{html.NAME}" y="{row * html.ROW + 4}" width="{html.at(length) - html.NAME}" '
        + f'height="{html.ROW - 8}" fill="{html.BLUE}"/>'
        + html.label(told, x=html.at(length) + 6, row=row)
        for row, (name, length, told) in enumerate(rows)
    ]
    return html.svg(drawn, rows=len(rows))


def _intervals(found: Sequence[Disparity]) -> str:
    drawn = []
    for row, each in enumerate(found):
        low, high, rate = (html.at(share) for share in (*each.interval, each.rate))
        others = html.at(min(1.0, max(0.0, each.rate - each.difference)))
        colour = html.RED if each.stands_out else html.BLUE
        drawn.append(
            html.label(f"{each.group} ({each.people})", x=0, row=row)
            + html.upright(others, row=row)
            + html.interval(low, high, middle=rate, row=row, colour=colour)
            + html.label(f"{each.rate:.0%} ({each.difference:+.0%})", x=html.at(1) + 10, row=row)
        )
    return html.svg(drawn, rows=len(found))
