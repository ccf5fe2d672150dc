"""`python -m benchmarks WORD`: one measurement, or `all` of them one after the other."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from inspect import signature
from typing import Final

import typer

WORDS: Final = {
    "stages": "what one event costs from bytes to a stored facet, stage by stage",
    "pipeline": "the worker against six others over the same log",
    "latency": "from a record produced to its effect readable, at a fixed rate",
    "workers": "one worker process and two",
    "recovery": "from a kill to the next event applied",
    "suggestions": "the suggestion route against a bare route of the same server",
    "suggestion_stages": "what a suggestion costs, stage by stage",
    "scoring": "a suggestion in process, by the size of the catalogue",
    "memory": "bytes of the store per person",
    "door": "one question to the door of consent",
    "officer": "the officer's questions over a million consent acts",
    "rebuild": "history folded anew, compared, switched",
    "ledger": "a million consent acts put down, audited, proven",
    "simulate": "what suggestions would be, per person",
    "training": "a million facts from history to a model, step by step",
    "recommender": "the tournament on purchases of real people",
    "report": "write tables and pictures into docs/explanation/speed.md",
}
"""Measurement -> what it is; each is the `main` of the module of that name."""


def main() -> None:
    """Run what the first word says; without one, everything."""
    word = sys.argv[1] if len(sys.argv) > 1 else "all"
    if word in WORDS:
        del sys.argv[1]
        sys.argv[0] = f"benchmarks {word}"
        _run(import_module(f"benchmarks.{word}").main)
    elif word == "all":
        for each in WORDS:
            subprocess.run([sys.executable, "-m", "benchmarks", each], check=True)
    else:
        width = max(map(len, WORDS))
        typer.echo("usage: python -m benchmarks [WORD] [OPTIONS]; WORD --help has its options\n")
        for name, what in {**WORDS, "all": "everything, in this order"}.items():
            typer.echo(f"  {name:{width}}  {what}")
        sys.exit(0 if word in {"--help", "-h"} else 2)


def _run(measurement: Callable[..., object]) -> None:
    """Some read their words themselves, the others have them read by typer."""
    if "argv" in signature(measurement).parameters:
        measurement(sys.argv[1:])
        return
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(measurement)
    app()


if __name__ == "__main__":
    main()
