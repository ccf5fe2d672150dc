"""When to train again: by the age of the latest model, so that a restart trains neither anew nor too late."""

import re
from typing import Final

import typer

from commands.retraining import AGAIN_S
from recommender.model_folder import ModelFolder

NEVER: Final = "never"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


def seconds_of(text: str) -> int:
    """The seconds that 30m, 1h or 1d stand for; BadParameter for anything else."""
    match = re.fullmatch(r"(\d{1,4})([smhd])", text)
    if match is None or int(match[1]) == 0:
        raise typer.BadParameter("a time such as 30m, 1h or 1d")
    return int(match[1]) * _UNITS[match[2]]


def latest_made_at(models: ModelFolder) -> int:
    """The snapshot (ms) of the training that was the last, whichever model is served; -1 before the first."""
    return max(map(models.made_at, models.names()), default=-1)


def due_in_s(made_at: int, *, every_s: int, now: int) -> float:
    """How long to wait at `now` (ms) after a model made at `made_at` (ms); never longer than `every_s`."""
    return min(max(0.0, every_s - (now - made_at) / 1000), float(every_s))


def again_in_s(every_s: int) -> float:
    """How long a training that failed is left alone."""
    return min(float(every_s), AGAIN_S)
