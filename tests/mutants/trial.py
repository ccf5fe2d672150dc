"""One trial: a process that has the mutant in memory runs the tests that should tell. No file is written.

The process is a fork, so that the libraries are loaded once for all trials.
"""

import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import resource
import sys
import types
from collections.abc import Sequence
from typing import Final, Literal

import pytest
from hypothesis import HealthCheck, settings

from tests.house.tree import ROOT
from tests.mutants.gates import Mutant
from tests.mutants.mutations import mutated

Fate = Literal["killed", "survived", "hung"]
"""`hung` is killed too: the tests did not end."""

CPU_S_MAX: Final = 240
"""Processor time of a trial, which a busy machine does not use up; one that waits for ever is a failing test."""
WAITS_S_MAX: Final = 900
_BROKEN: Final = 99
_RAN: Final = frozenset({0, 1, 2})
"""Exit codes of pytest that say what the tests said: all passed, one failed, one could not be collected."""


_LOADED_ONCE: Final = (
    *("cryptography.fernet", "fastapi", "httpx", "kafka", "aiokafka", "lightfm", "msgspec", "numpy", "phonenumbers"),
    *("pydantic", "pydantic_settings", "redis", "rich", "scipy.sparse", "typer", "yaml", "zstandard"),
    *("hypothesis.strategies", "events.admission", "events.vocabulary"),
)


class TestsNotRun(RuntimeError):
    """The tests of a mutant could not be run at all, so nothing is known about it."""

    __test__ = False


def fate_of(mutant: Mutant, *, examples: int) -> Fate:
    """What the mutant's tests say of it, with so many examples for each property."""
    pid = os.fork()
    if pid == 0:
        code = _BROKEN
        try:
            code = _tried(mutant, examples)
        finally:
            # Whatever happened, this process must not go on as its parent.
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return "hung"
    code = os.waitstatus_to_exitcode(status)
    if code not in _RAN:
        raise TestsNotRun(f"{', '.join(mutant.tests)}: pytest ended with {code}")
    return "survived" if code == 0 else "killed"


def preload() -> None:
    """Load what no mutant can change: the libraries, and the facts below all gates."""
    # A process with threads is not to be forked.
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    for name in _LOADED_ONCE:
        importlib.import_module(name)


def _tried(mutant: Mutant, examples: int) -> int:
    """In the fork: 0 when all tests pass."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    _be_silent()
    tree = mutated(mutant.source, mutant.mutation)
    changed = _Mutated(mutant.module, tree)
    sys.meta_path.insert(0, changed)
    settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")
    code = int(pytest.main(_arguments(mutant.tests)))
    # Where the module was there already, the tests ran against the original.
    return code if changed.is_loaded else _BROKEN


def _arguments(tests: Sequence[str]) -> list[str]:
    has_fixtures = any((ROOT / test).parent.joinpath("conftest.py").exists() for test in tests)
    plain = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", f"--timeout={WAITS_S_MAX}"]
    return [*plain, "-m", "not servers and not long", *tests, *([] if has_fixtures else ["--noconftest"])]


def _be_silent() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


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
