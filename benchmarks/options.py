"""Options that measurements share."""

from pathlib import Path
from typing import Annotated

import typer

AgainOption = Annotated[bool, typer.Option(help="forget earlier runs")]
ResultsOption = Annotated[Path, typer.Option(help="folder of the results")]
PageOption = Annotated[Path, typer.Option(help="the page with the marks")]
