"""When a case is open: read from its acts, wherever a case is looked at."""

from collections.abc import Iterable
from typing import Any, Final

from events.shape import INTEGER_MAX
from profiles.facet import Case, Cell, Opened

ALL_KNOWN: Final = INTEGER_MAX
"""A moment after everything, for looking at all acts whenever they are dated."""


def first_opened(case: Case) -> Cell[Opened] | None:
    """What started the case: the request or the complaint, whichever came first; None while neither is known."""
    starts = [start for start in (case.opened, case.complaint) if start is not None]
    return min(starts, key=lambda start: (start.at, start.key), default=None)


def last_solved(case: Case, *, at: int = ALL_KNOWN) -> Cell[str | None] | None:
    """The solution that stood at a moment (ms); None while the case was open or had never been solved."""
    solved = [cell for cell in case.resolved if cell.at <= at]
    return solved[0] if solved and not is_open(case, at=at) else None


def is_open(case: Case, *, at: int = ALL_KNOWN) -> bool:
    """Tell whether the case waited for us at a moment (ms).

    A request, a complaint or a reopening later than the last solution opens it. Clocks are coarse: at the same
    moment a solution closes a request and a reopening wins over a solution.
    """
    solved_at = _newest_at(case.resolved, at)
    reopened_at = _newest_at(case.reopened, at)
    started_at = _newest_at((start for start in (case.opened, case.complaint) if start is not None), at)
    return started_at > solved_at or reopened_at >= max(solved_at, 0)


def is_open_complaint(case: Case, *, at: int = ALL_KNOWN) -> bool:
    """Tell whether somebody had complained and the case was open at a moment (ms)."""
    return case.complaint is not None and case.complaint.at <= at and is_open(case, at=at)


def _newest_at(cells: Iterable[Cell[Any]], at: int) -> int:
    return max((cell.at for cell in cells if cell.at <= at), default=-1)
