"""The report of a simulation as one HTML page: plots drawn in it, nothing loaded from anywhere."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from recommender.simulate_report import Disparity, SideReport, SimulationReport

_ROW: Final = 22
_NAME: Final = 250
_WIDTH: Final = 420
_MOST: Final = 40
"""Rows of a plot."""
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1d2433}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse}
td,th{padding:.15rem .9rem .15rem 0;text-align:left;vertical-align:top}th{font-weight:600}
svg text{font:13px system-ui,sans-serif;fill:#1d2433}.muted{color:#5b6579}.on{color:#a3262a}
"""

Bar = tuple[str, float, str]
"""A name, a length, and what is written behind it."""


def page_of(report: SimulationReport, *, asked: str) -> str:
    """The page; `asked` says what was simulated."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>What suggestions would be</title>",
        f"<style>{_STYLE}</style><h1>What suggestions would be</h1><p>{escape(asked)}</p>",
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
    yield _table(("stage", "rule", "people", "services per person"), rows)
    yield f"<h2>{name}who is left without</h2><p>{side.left_people} people have nothing but the fallback; "
    yield f"{side.vague_people} are offered nothing that is specific to them.</p>"
    yield _table(("the last was taken at", "people"), [(each.stage, str(each.people)) for each in side.left])


def _compared(report: SimulationReport) -> Iterator[str]:
    compared = report.compared
    if compared is None:
        return
    before, after = report.sides[:2]
    yield f"<h2>From {escape(before.name)} to {escape(after.name)}</h2><p>{compared.first_changes} people have another "
    yield f"first suggestion, {compared.list_changes} another list. A first suggestion is taken with "
    yield f"{-compared.cost:+.4f} of probability.</p>"
    rows = [(each.before, each.after, str(each.people)) for each in compared.moved[:_MOST]]
    yield _table(("before", "after", "people"), rows)


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
        f'<text x="0" y="{_text(at)}">{escape(name)}</text>'
        f'<rect x="{_NAME}" y="{at * _ROW + 4}" width="{_at(length)}" height="{_ROW - 8}" fill="#3d6fb6"/>'
        f'<text x="{_NAME + _at(length) + 6}" y="{_text(at)}">{escape(label)}</text>'
        for at, (name, length, label) in enumerate(rows)
    ]
    return _svg(drawn, rows=len(rows))


def _intervals(found: Sequence[Disparity]) -> str:
    drawn = []
    for at, each in enumerate(found):
        middle, colour = at * _ROW + _ROW // 2, "#a3262a" if each.stands_out else "#3d6fb6"
        low, high, rate = (_NAME + _at(share) for share in (*each.interval, each.rate))
        others = _NAME + _at(min(1.0, max(0.0, each.rate - each.difference)))
        drawn.append(
            f'<text x="0" y="{_text(at)}">{escape(each.group)} ({each.people})</text>'
            f'<line x1="{others}" x2="{others}" y1="{at * _ROW + 3}" y2="{(at + 1) * _ROW - 3}" stroke="#9aa3b5"/>'
            f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" stroke="{colour}" stroke-width="3"/>'
            f'<circle cx="{rate}" cy="{middle}" r="4" fill="{colour}"/>'
            f'<text x="{_NAME + _WIDTH + 10}" y="{_text(at)}">{each.rate:.0%} ({each.difference:+.0%})</text>'
        )
    return _svg(drawn, rows=len(found))


def _svg(drawn: Iterable[str], *, rows: int) -> str:
    size = f'width="{_NAME + _WIDTH + 190}" height="{rows * _ROW + 4}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{"".join(drawn)}</svg>'


def _at(share: float) -> int:
    return round(share * _WIDTH)


def _text(at: int) -> int:
    return at * _ROW + 16


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
