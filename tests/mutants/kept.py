"""What became of mutants, kept while a run goes on, so that one that was interrupted goes on where it ended."""

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from tests.house.tree import ROOT
from tests.mutants.fresh import NOT_LOADED
from tests.mutants.gates import Mutant

HUNG: Final = "it never ended"


class Tried(NamedTuple):
    """A mutant and the test that told of it; empty where none did."""

    mutant: Mutant
    told: str


class Kept:
    """Results in a file of JSON lines.

    That a mutant was told of holds as long as its module and the test that told are as they were, that it never ended
    or could not be loaded as long as its module is; that nothing told, only while all tests are.
    """

    def __init__(self, path: Path, *, tests: Iterable[str]) -> None:
        self._path = path
        self._texts = {test: (ROOT / test).read_bytes() for test in sorted(tests)}
        self._all = blake2b(b"".join(self._texts.values()), digest_size=8).hexdigest()
        self._known: dict[str, Mapping[str, str]] = {}
        if path.exists():
            rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            self._known = {row["mutant"]: row for row in rows}

    def of(self, mutant: Mutant) -> Tried | None:
        """What is known of a mutant."""
        row = self._known.get(_digest(mutant))
        if row is None or row["tests"] != self._of_tests(row["told"]):
            return None
        return Tried(mutant, row["told"])

    def add(self, tried: Tried) -> None:
        """Keep what became of one."""
        row = {"mutant": _digest(tried.mutant), "tests": self._of_tests(tried.told), "told": tried.told}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _of_tests(self, told: str) -> str:
        if told in {HUNG, NOT_LOADED}:  # no test is known to have told, and it is the module's own doing
            return ""
        own = self._texts.get(told.partition("::")[0])
        return self._all if own is None else blake2b(own, digest_size=8).hexdigest()


def _digest(mutant: Mutant) -> str:
    return blake2b(f"{mutant.name}\0{mutant.source}".encode(), digest_size=16).hexdigest()
