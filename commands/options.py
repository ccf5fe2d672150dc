"""Options that commands share which work on the data folder itself, without the API."""

from typing import Annotated

import typer

DataFolderOption = Annotated[str | None, typer.Option("--data", help="folder of history, models and keys")]
StoreOption = Annotated[str | None, typer.Option("--redis", help="URL of the store")]
NotedOption = Annotated[str, typer.Option("--for", help="what you look for; noted")]
