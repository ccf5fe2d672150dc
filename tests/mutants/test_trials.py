"""The trials themselves: what is killed, what survives, what never ends, and what is known after an interruption."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.mutants.forking import Failed, Hung, forked
from tests.mutants.gates import Mutant, all_mutants
from tests.mutants.kept import HUNG, Kept, Tried
from tests.mutants.mutations import lines_of, mutations
from tests.mutants.trial import tellers_of

pytestmark = pytest.mark.thorough

DECLARED = "consent/accesses.py declared: "
"""A gate of few tests, none of which looks at anything else."""


def one_of(name: str) -> Mutant:
    return next(each for each in all_mutants() if name in each.name)


def trials(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.mutants", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_answers_come_back_and_what_never_ends_is_ended() -> None:
    def work(number: int) -> int:
        while number == 2:
            pass
        return 10 * number

    assert dict(forked(((number, 1) for number in range(4)), work, jobs=2)) == {0: 0, 1: 10, 2: Hung(1), 3: 30}


def test_a_fork_that_breaks_down_is_not_taken_for_an_answer() -> None:
    def work(_: int) -> None:
        raise LookupError("no such thing")

    with pytest.raises(Failed, match="LookupError: no such thing"):
        list(forked([(1, 10)], work, jobs=1))
    with pytest.raises(Failed, match="status"):
        list(forked([(1, 10)], lambda _: os._exit(3), jobs=1))


def test_what_a_fork_leaves_behind_is_cleared_away(tmp_path: Path) -> None:
    [(_, folder)] = forked([(1, 10)], lambda _: os.environ["PYTEST_DEBUG_TEMPROOT"], jobs=1)

    assert not Path(folder).exists()


SOURCE = """
def may(view):
    if view.age < 3:
        return (
            view.a
            and view.b
        )
    return True
"""


def test_a_change_lies_on_the_lines_of_its_statement() -> None:
    lines = {each.before: list(lines_of(SOURCE, each)) for each in mutations(SOURCE, scopes=lambda _: True)}

    assert lines["view.age < 3"] == lines["if view.age < 3"] == [3]
    assert lines["view.a and view.b"] == [4, 5, 6, 7]
    assert lines["True"] == [8]


def test_a_run_goes_on_where_it_ended_as_long_as_what_told_is_the_same(tmp_path: Path) -> None:
    tests = ["tests/officer/test_accesses.py", "tests/consent/test_door.py"]
    killed, survived, other = all_mutants()[:3]
    kept = Kept(tmp_path / "kept", tests=tests)
    kept.add(Tried(killed, f"{tests[1]}::test_one"))
    kept.add(Tried(survived, ""))

    again, fewer = Kept(tmp_path / "kept", tests=tests), Kept(tmp_path / "kept", tests=tests[1:])
    assert again.of(killed) == fewer.of(killed) == Tried(killed, f"{tests[1]}::test_one")
    assert again.of(survived) == Tried(survived, "")
    assert fewer.of(survived) is None, "other tests might tell"
    assert again.of(other) is None
    assert again.of(killed._replace(source=killed.source + "\n")) is None, "the module is another"


def test_what_never_ended_is_not_waited_for_again_because_other_tests_are_asked(tmp_path: Path) -> None:
    tests = ["tests/officer/test_accesses.py", "tests/consent/test_door.py"]
    hung = all_mutants()[0]
    Kept(tmp_path / "kept", tests=tests).add(Tried(hung, HUNG))

    fewer = Kept(tmp_path / "kept", tests=tests[1:])

    assert fewer.of(hung) == Tried(hung, HUNG)
    assert fewer.of(hung._replace(source=hung.source + "\n")) is None, "the module is another"


def test_who_told_of_most_mutants_of_a_gate_is_asked_first() -> None:
    first, second, third, *_ = (each for each in all_mutants() if each.name.startswith(DECLARED))

    found = tellers_of([Tried(first, "t::a"), Tried(second, "t::b"), Tried(third, "t::b"), Tried(one_of("fold"), "")])

    assert found == {"consent/accesses.py declared": ["t::b", "t::a"]}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_mutant_that_matters_is_killed_by_a_test_that_is_named() -> None:
    done = trials("--count", "1", "--only", f"{DECLARED}if purpose is None -> if True", "--may-survive", "0")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/officer/test_accesses.py::" in done.stderr


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_mutant_that_changes_nothing_survives() -> None:
    done = trials("--unchanging", "--count", "1", "--only", "consent/state.py joined: state.asked > asked")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 mutants tried, 0 killed" in done.stdout.replace("1 of 1 ", "1 ")
