"""The command `rapport`: mounts the commands and groups of commands found in `commands`."""

import ast
import gc
import os
import sys
from importlib import import_module
from pathlib import Path

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


def listing() -> typer.Typer:
    """All commands by what is told of them, which their text says without being run: none of them does anything."""
    app = typer.Typer(name="rapport", no_args_is_help=True, callback=rapport)
    for name, module in {**_COMMANDS, **_GROUPS}.items():
        app.command(name, help=_told(module, name))(rapport)
    return app


def _told(module: str, name: str) -> str | None:
    """What is said of a command, or of the group that is the `app` of a module."""
    text = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8")
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef(name=found) if found == name:
                return ast.get_docstring(node)
            case ast.Assign(targets=[ast.Name("app")], value=ast.Call(keywords=said)):
                return next(str(ast.literal_eval(each.value)) for each in said if each.arg == "help")
    return None


def rapport() -> None:
    """Customer profiles and suggestions that keep to consent."""


def main() -> None:
    """Run the command line; a failure a person can act on is one line and status 1, never a traceback."""
    word = sys.argv[1] if len(sys.argv) > 1 else None
    try:
        gc.disable()  # what is imported stays: looking for garbage in it takes a fifth of the start
        is_list = word in {None, "--help"} and "_RAPPORT_COMPLETE" not in os.environ
        app = listing() if is_list else build(word if word in {*_COMMANDS, *_GROUPS} else None)
        gc.freeze()  # nor is it looked through afterwards, or at the end
        gc.enable()
        app()
    except Exception as error:
        sentence = import_module("commands.failures").explain(error)
        if sentence is None:
            raise
        typer.echo(f"rapport: {sentence}", err=True)
        sys.exit(1)
