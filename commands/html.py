"""Reports as HTML pages: tables and plots drawn in them, nothing loaded from anywhere."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

ROW: Final = 22
"""Height of a row of a plot, as wide as a name, a scale and what is written behind it."""
NAME: Final = 250
WIDTH: Final = 420
BLUE: Final = "#3d6fb6"
RED: Final = "#a3262a"
"""What stands out."""
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1d2433}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse}
td,th{padding:.15rem .9rem .15rem 0;text-align:left;vertical-align:top}th{font-weight:600}
svg text{font:13px system-ui,sans-serif;fill:#1d2433}.muted{color:#5b6579}.on{color:#a3262a}
"""


def head(title: str, about: str) -> str:
    """The beginning of a page, with a line of what it is about."""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1><p>{escape(about)}</p>"
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts."""
    first = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{first}</tr>{body}</table>"


def svg(drawn: Iterable[str], *, rows: int) -> str:
    """A plot of rows."""
    size = f'width="{NAME + WIDTH + 190}" height="{rows * ROW + 4}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{"".join(drawn)}</svg>'


def label(text: str, *, x: int, row: int) -> str:
    """A text in a row of a plot."""
    return f'<text x="{x}" y="{row * ROW + 16}">{escape(text)}</text>'


def interval(low: int, high: int, *, middle: int, row: int, colour: str) -> str:
    """From low to high, with a dot at the middle."""
    y = row * ROW + ROW // 2
    return (
        f'<line x1="{low}" x2="{high}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
        f'<circle cx="{middle}" cy="{y}" r="4" fill="{colour}"/>'
    )


def upright(x: int, *, row: int) -> str:
    """What an interval is compared with."""
    return f'<line x1="{x}" x2="{x}" y1="{row * ROW + 3}" y2="{(row + 1) * ROW - 3}" stroke="#9aa3b5"/>'


def at(share: float) -> int:
    """Where a share of the scale ends."""
    return NAME + round(share * WIDTH)
