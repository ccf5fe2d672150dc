"""The command `rapport`: mounts the commands and groups of commands found in `commands`."""

import gc
import sys
from importlib import import_module

import typer

_COMMANDS = {
    "up": "commands.up",
    "tour": "commands.tour",
    "show": "commands.show",
    "suggest": "commands.show",
    "worker": "commands.worker",
    "api": "commands.api",
    "keeper": "commands.keeper",
    "train": "commands.train",
    "evaluate": "commands.evaluate",
    "explain": "commands.explain",
    "simulate": "commands.simulate",
    "uplift": "commands.uplift",
    "rebuild": "commands.rebuild",
    "diff": "commands.diff",
}
"""Command -> the module with a function of that name."""

_GROUPS = {
    "replay": "commands.replay",
    "consent": "commands.consent",
    "consents": "commands.consents_import",
    "dead-letters": "commands.dead_letters",
    "models": "commands.train_models",
    "log": "commands.log",
    "keys": "commands.keys",
    "officer": "commands.officer",
    "ledger": "commands.ledger",
    "rights": "commands.rights",
    "demo": "commands.demo",
}
"""Group of commands -> the module with its `app`."""


def build(word: str | None) -> typer.Typer:
    """The command line for the command `word`, or all of it.

    Only the module of the command that was asked for is imported: together they bring in every library we use, and
    each of our processes would pay two seconds for that.
    """
    app = typer.Typer(name="rapport", no_args_is_help=True, callback=rapport)
    for name, module in _COMMANDS.items():
        if word in {name, None}:
            app.command(name)(getattr(import_module(module), name))
    for name, module in _GROUPS.items():
        if word in {name, None}:
            app.add_typer(import_module(module).app, name=name)
    return app


def rapport() -> None:
    """Customer profiles and suggestions that keep to consent."""


def main() -> None:
    """Run the command line; a failure a person can act on is one line and status 1, never a traceback."""
    word = sys.argv[1] if len(sys.argv) > 1 else None
    try:
        gc.disable()  # what is imported stays: looking for garbage in it takes a fifth of the start
        app = build(word if word in {*_COMMANDS, *_GROUPS} else None)
        gc.freeze()  # nor is it looked through afterwards, or at the end
        gc.enable()
        app()
    except Exception as error:
        sentence = import_module("commands.failures").explain(error)
        if sentence is None:
            raise
        typer.echo(f"rapport: {sentence}", err=True)
        sys.exit(1)
