"""Mutants of the gates: thirty by a fixed seed and all that once survived; and the mutator itself."""

import subprocess
import sys

import pytest

from tests.house.tree import ROOT, product
from tests.mutants.gates import BESIDE, TESTS, WHOLE, all_mutants, chosen
from tests.mutants.known import once_survived, unchanging
from tests.mutants.mutations import asks_the_door, mutated, mutations, scopes_of

COUNT = 30
MAY_SURVIVE = 0.2
"""Of thirty; of all it is 0.05. What is chosen changes with the source, and nobody's change should fail by chance."""

GUARD = '''
LEVELS: Final = ("low", "high")

def may(view, limit=3):
    """Say so."""
    if view.age < limit and not view.hidden:
        return Refused(Reason.YOUNG, "too young")
    return view.permits(USE, known_at=1)
'''


def changes(source: str) -> set[str]:
    return {each.name for each in mutations(source, scopes=lambda _: True)}


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_thirty_mutants_and_those_that_once_survived_are_killed() -> None:
    command = [sys.executable, "-m", "tests.mutants", "--count", str(COUNT), "--may-survive", str(MAY_SURVIVE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_guard_is_mutated_in_every_way_it_could_be_wrong() -> None:
    assert changes(GUARD) == {
        "LEVELS: entry 'low' left out",
        "LEVELS: entry 'high' left out",
        "may: if view.age < limit and (not view.hidden) -> if False (never)",
        "may: if view.age < limit and (not view.hidden) -> if True (always)",
        "may: view.age < limit and (not view.hidden) -> view.age < limit or not view.hidden (and for or)",
        "may: view.age < limit and (not view.hidden) -> not view.hidden (condition left out)",
        "may: view.age < limit and (not view.hidden) -> view.age < limit (condition left out)",
        "may: view.age < limit -> view.age <= limit (comparison)",
        "may: view.age < limit -> view.age > limit (comparison)",
        "may: not view.hidden -> view.hidden (not left out)",
        "may: Refused(Reason.YOUNG, 'too young') -> Allowed(Because(basis='consent')) (refusal that allows)",
        "may: view.permits(USE, known_at=1) -> view.permits('service.fulfil', known_at=1) (another purpose is asked)",
        "may: 1 -> 2 (constant)",
    }


@pytest.mark.thorough
def test_every_mutant_is_other_source_and_still_python() -> None:
    for mutant in chosen(all_mutants(), seed=2, count=60):
        tree = mutated(mutant.source, mutant.mutation)
        compile(tree, mutant.module, "exec")


def test_every_function_that_asks_the_door_is_found() -> None:
    assert asks_the_door(GUARD) == {"may"}
    modules = {mutant.module for mutant in all_mutants()}

    assert {"consent/door.py", "profiles/fold.py", "recommender/reading.py", "outreach/assessment.py"} <= modules


def test_a_mutant_keeps_its_name_while_other_lines_move() -> None:
    assert changes("import ast\n\n\n" + GUARD) == changes(GUARD)


def test_what_once_survived_is_not_called_unchanging() -> None:
    assert not once_survived() & unchanging().keys()


def test_every_mutant_that_is_named_is_one() -> None:
    assert {*unchanging(), *once_survived()} - {mutant.name for mutant in all_mutants()} == set()


def test_every_gate_that_is_named_is_there() -> None:
    named = {source.name: scopes_of(source.text) for source in product()}

    assert {*WHOLE, *TESTS} <= named.keys()
    assert {module: gates - named[module] for module, gates in BESIDE.items() if gates - named[module]} == {}
    assert all((ROOT / test).is_file() for tests in TESTS.values() for test in tests)
