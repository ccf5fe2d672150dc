"""Programs that come inside Python wheels, found where they were installed."""

import importlib.util
import os
from pathlib import Path


class ProgramMissing(Exception):
    """The wheel that brings a program is not installed, or has none for this machine."""


def program(*, package: str, inside: str) -> Path:
    """The executable at `inside` the installed `package`; nothing is copied and nothing of the package is run.

    Raises ProgramMissing, saying what to do.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / inside
        if os.access(path, os.X_OK):
            return path
    raise ProgramMissing(
        f"{package} brings no {Path(inside).name} for this machine; "
        "name servers that exist instead (rapport up --kafka HOST:PORT --redis URL)"
    )
