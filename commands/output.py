"""How commands speak: to a person through Rich, to a program as JSON on standard output."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

console: Final = Console()
"""Where commands write for a person."""

JsonOption = Annotated[bool, typer.Option("--json", help="answer as JSON")]


def emit(value: Any) -> None:
    """Write one JSON value, indented, to standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def plain_table(*columns: str | Column) -> Table:
    """A table without lines, in which nothing is cut: what is too wide goes on below."""
    whole = (Column(column, overflow="fold") if isinstance(column, str) else column for column in columns)
    return Table(*whole, box=None, pad_edge=False)


def show_entries(entries: Iterable[Sequence[str]]) -> None:
    """Write a list whose entries say more than fits a row: a title and lines each, of which empty ones are left out."""
    is_empty = True
    for title, *lines in entries:
        is_empty = False
        console.print(Text(title, style="bold"), soft_wrap=True)
        for line in filter(None, lines):
            console.print(Padding(Text(line), (0, 0, 0, 4)))
    if is_empty:
        console.print("none")
