"""The command `rapport`: mounts one group of commands per module of `commands`."""

import sys

import typer

from commands import dead_letters, log, replay, train
from commands.failures import explain
from commands.worker import worker

app = typer.Typer(name="rapport", no_args_is_help=True, help="Customer profiles and suggestions that keep to consent.")
app.command()(worker)
app.command("train")(train.train_model)
for group in (dead_letters, log, replay, train):
    app.add_typer(group.app)


@app.callback()
def rapport() -> None:
    """Customer profiles and suggestions that keep to consent."""


def main() -> None:
    """Run the command line; a failure a person can act on is one line and status 1, never a traceback."""
    try:
        app()
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        typer.echo(f"rapport: {sentence}", err=True)
        sys.exit(1)
