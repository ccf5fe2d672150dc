"""What an import will do, by class of row: counts and line numbers, never what stands in the rows."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from consent.imports import Refused, Skipped, Taken, Verdict

LINES_MAX: Final = 5
"""Line numbers named per kind of refusal."""


@dataclass(slots=True)
class Count:
    """How often something came up, the first lines it came up at, and what the first one lacked."""

    detail: str = ""
    count: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """Rows that were read, acts that are taken by (act, purpose), and refusals by code.

    What is taken depends on more than the file: on the mapping, the notices, the policy, the day.
    """

    rows: int = 0
    skipped: int = 0
    taken: dict[tuple[str, str], int] = field(default_factory=dict)
    refused: dict[str, Count] = field(default_factory=dict)
    _lines_taken: "hashlib._Hash" = field(default_factory=hashlib.sha256, repr=False)

    def add(self, line: int, verdicts: Iterable[Verdict]) -> None:
        """Count a row that begins at that line of the file."""
        self.rows += 1
        for verdict in verdicts:
            match verdict:
                case Taken(act, purpose, _):
                    self.taken[act, purpose] = self.taken.get((act, purpose), 0) + 1
                    self._lines_taken.update(f"{line} {act} {purpose}\n".encode())
                case Refused(code, detail):
                    self.refuse(line, code, detail)
                case Skipped():
                    self.skipped += 1

    def refuse(self, line: int, code: str, detail: str) -> None:
        """Count a refusal."""
        found = self.refused.setdefault(code, Count(detail))
        found.count += 1
        if len(found.lines) < LINES_MAX:
            found.lines.append(line)

    @property
    def identifies(self) -> str:
        """Tells one sequence of acts taken from another."""
        return self._lines_taken.hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """The plan for a program."""
        return {
            "rows": self.rows,
            "nothing_said": self.skipped,
            "taken": [{"act": a, "purpose": p, "count": n} for (a, p), n in sorted(self.taken.items())],
            "refused": {
                code: {"count": each.count, "first_lines": each.lines, "detail": each.detail}
                for code, each in sorted(self.refused.items())
            },
        }
