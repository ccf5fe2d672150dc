"""`docs/reference/redis-format.md` as a table: each family's keys, where they come from, how long they live."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "redis-format.md"
_ROW = re.compile(
    r"^\| (?P<name>[a-z-]+) \| `(?P<shape>rapport:[^`]+)` \| (?P<value>.+) \| (?P<origin>\w+) \| (?P<lifetime>.+) \|$"
)


class DocumentedFamily(NamedTuple):
    """A row of the page."""

    name: str
    shape: str
    origin: str
    lifetime: str

    def fits(self, key: str) -> bool:
        """Whether a key has the shape."""
        pattern = re.escape(self.shape).replace(r"\[", "(").replace(r"\]", ")?").replace("…", "(:.+)?")
        return re.fullmatch(re.sub("<[a-z]+>", "[^{}]+", pattern), key) is not None


@cache
def documented_families() -> dict[str, DocumentedFamily]:
    """The rows of the page by family."""
    rows = filter(None, map(_ROW.match, PAGE.read_text(encoding="utf-8").splitlines()))
    return {row["name"]: DocumentedFamily(row["name"], row["shape"], row["origin"], row["lifetime"]) for row in rows}


def family_of(key: str) -> str | None:
    """The documented family a key belongs to."""
    return next((row.name for row in documented_families().values() if row.fits(key)), None)
