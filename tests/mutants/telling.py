"""Which test tells: a pytest run that stops at the first that fails, and says which one that was."""

import sys
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

_STARTING: Final = frozenset({"subprocess.Popen", "os.posix_spawn", "os.exec"})


class TestsNotRun(RuntimeError):
    """The tests of a mutant could not be run at all, so nothing is known about it."""

    __test__ = False


class Telling:
    """A pytest plugin that judges by what this process does.

    A test that starts another process compares with code that has no mutant in it: what it says is not heard.
    """

    def __init__(self, *, examples: int) -> None:
        self._examples = examples
        self._failed = False
        self.reasons: list[str] = []
        self.has_started = False
        self.could_collect = True
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _args: object) -> None:
        self.has_started = self.has_started or event in _STARTING

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """The same examples in every run, after the suite chose its own and before a test is decorated."""
        settings.register_profile(
            "mutants",
            deadline=None,
            derandomize=True,
            database=None,
            max_examples=self._examples,
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutants")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that can no longer be loaded."""
        self.could_collect = self.could_collect and not report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A step of a test."""
        if report.failed:
            self._failed = True
            self.reasons.append(report.longreprtext)

    def told(self, item: pytest.Item, *, before: pytest.Item | None) -> bool:
        """Run a test, and keep what it shares with the one that is next; True when it failed by itself."""
        self._failed = self.has_started = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=before)
        return self._failed and not self.has_started

    def first_of(self, items: Sequence[pytest.Item]) -> str:
        """The id of the first test that fails; empty when none does."""
        for item, following in zip(items, [*items[1:], None], strict=True):
            if self.told(item, before=following):
                return item.nodeid
        return ""


def arguments(tests: Sequence[str]) -> list[str]:
    """How pytest is called. No test has a time of its own: on a busy machine it would fail, and tell of nothing."""
    plain = ["-q", "-s", "--assert=plain", "-p", "no:cacheprovider", "--timeout=0"]
    return [*plain, "-m", "not servers and not long", *tests]
