"""`docs/reference/redis-format.md` as a table: each family's keys, where they come from, how long they live."""

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "redis-format.md"
_ROW = re.compile(
    r"^\| (?P<family>[a-z-]+) \| `(?P<shape>rapport:[^`]+)` \| (?P<kind>string|hash|zset|stream) \| (?P<value>.+)"
    r" \| (?P<origin>\w+) \| (?P<lifetime>.+) \|$"
)
_PARTS: Final = {"<identity>": "[a-z][a-z0-9_]*:[a-z2-7]{26}", "<partition>": "[0-9]+", "<day>": "[0-9]+"}


class DocumentedKey(NamedTuple):
    """A row of the page."""

    family: str
    shape: str
    kind: str
    origin: str
    lifetime: str

    def fits(self, key: str) -> bool:
        """Whether a key has the shape."""
        parts = re.split(r"(<[a-z-]+>)", self.shape)
        pattern = (_PARTS.get(part, "[^:{}]+") if part.startswith("<") else re.escape(part) for part in parts)
        return re.fullmatch("".join(pattern), key) is not None


@cache
def documented_keys() -> tuple[DocumentedKey, ...]:
    """The rows of the page."""
    rows = filter(None, map(_ROW.match, PAGE.read_text(encoding="utf-8").splitlines()))
    return tuple(DocumentedKey(*row.group("family", "shape", "kind", "origin", "lifetime")) for row in rows)


def row_of(key: str) -> DocumentedKey | None:
    """The row that a key has the shape of."""
    return next((row for row in documented_keys() if row.fits(key)), None)


def listed_rights() -> list[str]:
    """What the user of a single server may do, as the page has it."""
    _, _, rights = PAGE.read_text(encoding="utf-8").partition("## What the server's user may do")
    return re.findall(r"\+[a-z|]+", rights.partition("- in a cluster")[0])
