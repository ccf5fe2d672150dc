"""Many mutants tried: in a process that has loaded everything where that is the same, in one of their own elsewhere."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.forking import Hung, forked
from tests.mutants.fresh import Stage, preload, told_anew
from tests.mutants.gates import Mutant
from tests.mutants.kept import HUNG, Kept, Tried
from tests.mutants.telling import TestsNotRun, arguments
from tests.mutants.warm import Warm

TELLERS: Final = Path(__file__).with_name("tellers.json")
"""Gate -> the tests that told of most of its mutants in the last full run, to be asked first."""
_TELLERS_MAX: Final = 4
_WARM_S_MAX: Final = 100_000
_FRESH_S_MAX: Final = 300


def tried(mutants: Sequence[Mutant], *, kept: Path, thorough: bool, examples: int, jobs: int) -> Iterator[Tried]:
    """What becomes of each mutant; `kept` is the file of results, and those it holds are not tried again.

    `thorough` runs every test of any gate that comes by the changed line, else those of its own module.
    """
    preload()
    tests = {test for each in mutants for test in each.tests}
    known = known_tellers()

    def order(mutant: Mutant) -> list[str]:
        return [*known.get(_gate(mutant), ()), *mutant.tests]

    def warmly(left: Sequence[Mutant]) -> None:
        def heard(mutant: Mutant, told: str | Hung) -> None:
            Kept(kept, tests=tests).add(_said(mutant, told))

        warm = Warm(left, heard=heard, order=None if thorough else order, examples=examples, jobs=jobs)
        code = pytest.main(arguments(sorted(tests)), plugins=[warm])
        if code:
            raise TestsNotRun(f"pytest ended with {code}")

    left = _left(mutants, Kept(kept, tests=tests))
    if left:
        list(forked([(left, _WARM_S_MAX)], warmly, jobs=1, loud=True))
    results = Kept(kept, tests=tests)
    yield from (each for mutant in mutants if (each := results.of(mutant)) is not None)

    def anew(mutant: Mutant) -> str | Hung:
        asked = frozenset(known.get(_gate(mutant), ()))
        files = sorted({test.partition("::")[0] for test in asked} & tests)
        stages = [Stage(files, asked), Stage(mutant.tests), Stage(sorted(tests - {*mutant.tests}) if thorough else ())]
        return told_anew(mutant, [each for each in stages if each.files], examples=examples, cpu_s_max=_FRESH_S_MAX)

    over = [(mutant, 3 * _FRESH_S_MAX) for mutant in _left(mutants, results)]
    for mutant, told in forked(over, anew, jobs=jobs):
        found = _said(mutant, told)
        results.add(found)
        yield found


def known_tellers() -> Mapping[str, Sequence[str]]:
    """See `TELLERS`."""
    found: dict[str, list[str]] = json.loads(TELLERS.read_text(encoding="utf-8")) if TELLERS.exists() else {}
    return found


def tellers_of(found: Iterable[Tried]) -> dict[str, list[str]]:
    """What `TELLERS` holds after these."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant, told in found:
        if "::" in told:
            counts[_gate(mutant)][told] += 1
    return {gate: [test for test, _ in counts[gate].most_common(_TELLERS_MAX)] for gate in sorted(counts)}


def _gate(mutant: Mutant) -> str:
    return f"{mutant.module} {mutant.mutation.scope}"


def _left(mutants: Iterable[Mutant], results: Kept) -> list[Mutant]:
    return [each for each in mutants if results.of(each) is None]


def _said(mutant: Mutant, told: str | Hung) -> Tried:
    found = Tried(mutant, HUNG if isinstance(told, Hung) else told)
    sys.stderr.write(f"{mutant.name}: {found.told or 'survived'}\n")
    return found
