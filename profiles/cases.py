"""When a case is open: read from its acts, wherever a case is looked at."""

from collections.abc import Iterable

from profiles.facet import Case, Cell, Opened


def first_opened(case: Case) -> Cell[Opened] | None:
    """What started the case: the request or the complaint, whichever came first; None while neither is known."""
    starts = [start for start in (case.opened, case.complaint) if start is not None]
    return min(starts, key=lambda start: (start.at, start.key), default=None)


def last_solved(case: Case) -> Cell[str | None] | None:
    """The solution that stands; None while the case is open or was never solved."""
    return case.resolved[0] if case.resolved and not is_open(case) else None


def is_open(case: Case) -> bool:
    """Tell whether the case waits for us.

    A request, a complaint or a reopening later than the last solution opens it. Clocks are coarse: at the same
    moment a solution closes a request and a reopening wins over a solution.
    """
    solved_at = _newest_at(case.resolved)
    reopened_at = _newest_at(case.reopened)
    started_at = _newest_at(start for start in (case.opened, case.complaint) if start is not None)
    return started_at > solved_at or (reopened_at >= solved_at and bool(case.reopened))


def is_open_complaint(case: Case) -> bool:
    """Tell whether somebody complained and the case is open."""
    return case.complaint is not None and is_open(case)


def _newest_at(cells: Iterable[Cell[Opened]] | Iterable[Cell[None]] | Iterable[Cell[str | None]]) -> int:
    return max((cell.at for cell in cells), default=-1)
