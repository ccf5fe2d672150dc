"""The command `rapport`: mounts one group of commands per module of `commands`."""

import typer

app = typer.Typer(name="rapport", no_args_is_help=True, help="Customer profiles and suggestions that keep to consent.")


@app.callback()
def rapport() -> None:
    """Customer profiles and suggestions that keep to consent."""


def main() -> None:
    """Run the command line."""
    app()
