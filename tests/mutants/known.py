"""What is known of single mutants, by name: which change nothing, and why; and which once survived."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

FILE: Final = Path(__file__).with_name("known.yaml")


def unchanging() -> Mapping[str, str]:
    """Name -> why no test can tell the mutant from the original."""
    return {str(name): str(why) for name, why in (_said()["unchanging"] or {}).items()}


def once_survived() -> frozenset[str]:
    """Names of mutants that no test told of when they were first tried; now one does."""
    return frozenset(map(str, _said()["once_survived"] or ()))


def _said() -> dict[str, dict[str, str]]:
    said: dict[str, dict[str, str]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return said
