"""Trials in forks of a process that has loaded everything: one function is given other code, and its tests run.

That is the same as the mutant in the file only where nothing called the function before, so that is watched.
"""

import gc
import sys
import time
import types
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import pytest

from tests.house.tree import ROOT
from tests.mutants.forking import Hung, forked
from tests.mutants.gates import Mutant
from tests.mutants.mutations import lines_of, mutated
from tests.mutants.telling import Telling, TestsNotRun

_RECORDING_S_MAX: Final = 1200
_UNKNOWN_S: Final = 240
_TOOL: Final = 4
_SHORTEST_S: Final = 20
_FAR_ABOVE: Final = 10
"""What takes ten times as long as the tests do without a mutant, and 20 s at least, does not end."""

Place = tuple[str, str]
"""File and qualified name of a function."""
Heard = Callable[[Mutant, str | Hung], None]


class Run(NamedTuple):
    """One test without a mutant: the lines it came by, what it cost, and whether it started another process."""

    lines: frozenset[tuple[str, int]]
    cpu_s: float
    has_started: bool
    failure: str


class _Trial(NamedTuple):
    mutant: Mutant
    function: types.FunctionType
    tests: Sequence[pytest.Item]


class Warm(Telling):
    """A pytest plugin that tries mutants instead of running the tests.

    `order` names tests or files for a mutant; where it is None all tests are recorded first, and those run that came by
    the changed line, the quickest first, then the others of its files. `heard` is told which test told of a mutant
    (empty: none did); mutants it is not told of cannot be tried here.
    """

    def __init__(
        self,
        mutants: Sequence[Mutant],
        *,
        heard: Heard,
        order: Callable[[Mutant], Sequence[str]] | None,
        examples: int,
        jobs: int,
    ) -> None:
        super().__init__(examples=examples)
        self._mutants, self._heard, self._order, self._jobs = mutants, heard, order, jobs
        self._files = frozenset(str(ROOT / each.module) for each in mutants)
        self._entered: set[Place] = set()
        self.runs: dict[str, Run] = {}
        sys.setprofile(self._watch)

    def _watch(self, frame: types.FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code.co_filename in self._files:
            self._entered.add((frame.f_code.co_filename, frame.f_code.co_qualname))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Record the tests, then try the mutants with them."""
        sys.setprofile(None)
        if not self.could_collect:
            raise pytest.UsageError("the tests cannot be collected")
        items = {item.nodeid: item for item in session.items}
        if self._order is None:
            self.runs = dict(self._recorded(session.items))
        gc.unfreeze()  # what is frozen, as the suite does, is not looked through
        functions = _functions(self._files)
        gc.freeze()
        tasks = []
        for mutant in self._mutants:
            place = (str(ROOT / mutant.module), mutant.mutation.scope)
            if place not in self._entered and len(functions[place]) == 1:
                tests = [items[each] for each in self._tests_of(mutant, items)]
                tasks.append((_Trial(mutant, functions[place][0], tests), self._limit(tests)))
        for trial, told in forked(tasks, self._tried, jobs=self._jobs):
            if told is not None:
                self._heard(trial.mutant, told)
        return True

    def _tests_of(self, mutant: Mutant, known: Collection[str]) -> Sequence[str]:
        if self._order is not None:
            wanted = self._order(mutant)
            found = [each for name in wanted for each in known if name in (each, each.partition("::")[0])]
            return list(dict.fromkeys(found))
        came = {(str(ROOT / mutant.module), line) for line in lines_of(mutant.source, mutant.mutation)}
        telling = {test: run for test, run in self.runs.items() if not run.has_started}
        by = [test for test, run in telling.items() if run.lines & came]
        # What was computed once for all tests came by in the first of them alone.
        beside = [test for test in telling if test not in by and test.partition("::")[0] in mutant.tests]
        return [*sorted(by, key=self._cost), *sorted(beside, key=self._cost)]

    def _cost(self, test: str) -> float:
        return self.runs[test].cpu_s

    def _limit(self, tests: Sequence[pytest.Item]) -> int:
        """Processor seconds a trial may take: far above what its tests take without the mutant."""
        if self._order is not None:
            return _UNKNOWN_S
        return int(_SHORTEST_S + _FAR_ABOVE * sum(self._cost(test.nodeid) for test in tests))

    def _tried(self, trial: _Trial) -> str | None:
        """In a fork: the test that tells; None where the function cannot be given other code."""
        mutant = trial.mutant
        changed = compile(mutated(mutant.source, mutant.mutation), str(ROOT / mutant.module), "exec")
        found = [code for code in _codes(changed) if code.co_qualname == mutant.mutation.scope]
        if len(found) != 1 or found[0].co_freevars != trial.function.__code__.co_freevars:
            return None
        trial.function.__code__ = found[0]  # type: ignore[misc] # mypy takes it for a method's
        return self.first_of(trial.tests)

    def _recorded(self, items: Sequence[pytest.Item]) -> Iterator[tuple[str, Run]]:
        """Each test run once without a mutant. TestsNotRun where one fails by itself."""
        files: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in items:
            files[item.nodeid.partition("::")[0]].append(item)
        for _, runs in forked(((own, _RECORDING_S_MAX) for own in files.values()), self._record, jobs=self._jobs):
            if isinstance(runs, Hung):
                raise TestsNotRun("the tests do not end without any mutant")
            for test, run in runs.items():
                if run.failure and not run.has_started:
                    raise TestsNotRun(f"{test} fails without any mutant:\n{run.failure}")
                yield test, run

    def _record(self, items: Sequence[pytest.Item]) -> dict[str, Run]:
        """In a fork."""
        found = {}
        with _watching(self._files) as seen:
            for item, following in zip(items, [*items[1:], None], strict=True):
                seen.clear()
                sys.monitoring.restart_events()
                began = time.process_time()
                has_failed = self.told(item, before=following)
                cpu_s, failure = time.process_time() - began, self.reasons[-1] if has_failed else ""
                found[item.nodeid] = Run(frozenset(seen), cpu_s, self.has_started, failure)
        return found


@contextmanager
def _watching(files: Collection[str]) -> Iterator[set[tuple[str, int]]]:
    """The lines of the files that are run; who looks at them has to empty it, and restart the events."""
    seen: set[tuple[str, int]] = set()

    def line(code: types.CodeType, number: int) -> Any:
        if code.co_filename in files:
            seen.add((code.co_filename, number))
        return sys.monitoring.DISABLE

    sys.monitoring.use_tool_id(_TOOL, "mutants")
    sys.monitoring.register_callback(_TOOL, sys.monitoring.events.LINE, line)
    sys.monitoring.set_events(_TOOL, sys.monitoring.events.LINE)
    try:
        yield seen
    finally:
        sys.monitoring.free_tool_id(_TOOL)


def _functions(files: Collection[str]) -> dict[Place, list[types.FunctionType]]:
    """The live functions of these files, however they are wrapped."""
    found: dict[Place, list[types.FunctionType]] = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, types.FunctionType) and each.__code__.co_filename in files:
            found[each.__code__.co_filename, each.__code__.co_qualname].append(each)
    return found


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield const
            yield from _codes(const)
