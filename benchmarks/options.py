"""Options that measurements share."""

from pathlib import Path
from typing import Annotated

import typer

AgainOption = Annotated[bool, typer.Option("--again", help="forget results kept under the same settings")]
ResultsOption = Annotated[Path, typer.Option(help="folder of the results")]
PageOption = Annotated[Path, typer.Option(help="the page with the marks")]
