"""Trials in a process that loads everything anew, with the mutant in memory. No file is written.

Tables need it, and functions that were called while modules were loaded: what they made is known everywhere by then.
"""

import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import pytest

from tests.house.tree import ROOT
from tests.mutants.forking import Hung, forked
from tests.mutants.gates import Mutant
from tests.mutants.mutations import mutated
from tests.mutants.telling import Telling, TestsNotRun, arguments

_LOADED_ONCE: Final = (
    *("cryptography.fernet", "fastapi", "httpx", "kafka", "aiokafka", "lightfm", "msgspec", "numpy", "phonenumbers"),
    *("pydantic", "pydantic_settings", "redis", "rich", "scipy.sparse", "typer", "yaml", "zstandard"),
    *("hypothesis.strategies", "hypothesis.extra.pytestplugin", "events.admission", "events.vocabulary"),
)
_RAN: Final = frozenset({0, 1})
_UNLOADABLE: Final = frozenset({2, 4})
"""Exit codes of pytest when tests, or what they share, cannot be loaded."""
NOT_LOADED: Final = "the module could not be loaded"


def preload() -> None:
    """Load what no mutant can change: the libraries, and the facts below all gates."""
    # A process with threads is not to be forked.
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    for name in _LOADED_ONCE:
        importlib.import_module(name)


class Stage(NamedTuple):
    """Files of tests, and which of their tests to run; none named: all."""

    files: Sequence[str]
    tests: frozenset[str] = frozenset()


def told_anew(mutant: Mutant, stages: Iterable[Stage], *, examples: int, cpu_s_max: int) -> str | Hung:
    """The test that tells of the mutant, of the first stage that does: each is a process of its own. Or nothing."""
    for stage in stages:
        [(_, told)] = forked([(stage, cpu_s_max)], lambda given: _tried(mutant, given, examples), jobs=1)
        if told:
            return told if isinstance(told, Hung) else str(told)
    return ""


def _tried(mutant: Mutant, stage: Stage, examples: int) -> str:
    changed = _Mutated(mutant.module, mutated(mutant.source, mutant.mutation))
    sys.meta_path.insert(0, changed)
    run = _Run(stage.tests, examples=examples)
    code = pytest.main([*arguments(stage.files), *_without_fixtures(stage.files)], plugins=[run])
    if not changed.is_loaded:
        # The tests ran against the original.
        raise TestsNotRun(f"{mutant.module} was there already, or no test loads it")
    if code not in _RAN | _UNLOADABLE:
        raise TestsNotRun(f"{', '.join(stage.files)}: pytest ended with {code}")
    return run.first or (NOT_LOADED if code in _UNLOADABLE else "")


def _without_fixtures(files: Sequence[str]) -> list[str]:
    """What the whole suite shares is of no use to tests without servers, and takes long to load."""
    has_own = any((ROOT / file).parent.joinpath("conftest.py").exists() for file in files)
    return [] if has_own else ["--noconftest"]


class _Run(Telling):
    def __init__(self, chosen: frozenset[str], *, examples: int) -> None:
        super().__init__(examples=examples)
        self._chosen = chosen
        self.first = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if not self.could_collect:
            return None
        self.first = self.first_of([each for each in session.items if not self._chosen or each.nodeid in self._chosen])
        return True


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module of ours from a changed syntax tree."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self._name = path.removesuffix(".py").replace("/", ".")
        self._path, self._tree = str(ROOT / path), tree
        self.is_loaded = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `MetaPathFinder`."""
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=self._path)

    def exec_module(self, module: types.ModuleType) -> None:
        """See `Loader`."""
        self.is_loaded = True
        module.__file__ = self._path
        exec(compile(self._tree, self._path, "exec"), module.__dict__)  # noqa: S102 - it is our own source, changed
