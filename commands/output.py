"""How commands speak: to a person through Rich, to a program as JSON on standard output."""

import json
import sys
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Column, Table

console: Final = Console()
"""Where commands write for a person."""

JsonOption = Annotated[bool, typer.Option("--json", help="answer as JSON")]


def emit(value: Any) -> None:
    """Write one JSON value, indented, to standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def plain_table(*columns: str | Column) -> Table:
    """A table without lines."""
    return Table(*columns, box=None, pad_edge=False)
