"""What each hit found and what became of it: the rows of the report."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.plan import KILLS


@dataclass
class Hit:
    """One fault as it struck. Times in seconds; `at_s` since the run began, `back_s` until work was committed again.

    A kill is counted only if its victim had applied a batch since its start and had backlog left.
    """

    number: int
    fault: str
    at_s: float
    victim: str = ""
    doing: str = ""
    applied: int = 0
    folded: int = 0
    backlog: int = 0
    back_s: float | None = None
    note: str = ""

    @property
    def is_kill(self) -> bool:
        """kill -9 of a worker or of the archiver."""
        return self.fault in KILLS

    @property
    def is_counted(self) -> bool:
        """See above."""
        return self.is_kill and self.applied > 0 and self.backlog > 0


_HEAD = ("#", "at s", "fault", "victim", "counted", "folded", "applied", "backlog", "back s", "where it hit")


def table(hits: Sequence[Hit]) -> str:
    """The hits as a Markdown table: facts folded in all, batches applied by the victim since its start, its backlog."""
    rows = [_HEAD, *map(_row, hits)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _row(hit: Hit) -> tuple[str, ...]:
    counted = ("yes" if hit.is_counted else "no") if hit.is_kill else ""
    back = "" if hit.back_s is None else f"{hit.back_s:.1f}"
    where = "; ".join(filter(None, (hit.doing, hit.note)))
    numbers = (str(hit.folded), str(hit.applied), str(hit.backlog))
    return (str(hit.number), f"{hit.at_s:.0f}", hit.fault, hit.victim, counted, *numbers, back, where)
