import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

BROKEN_SHIM = "#!/bin/sh\nexit 127\n"


def python(version: str) -> str:
    return f'#!/bin/sh\ncase "$2" in *version_info*) echo {version} ;; *) echo "$0" ;; esac\n'


class Machine:
    """A machine that has only the programs it was given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def find(self) -> tuple[int, str, str]:
        found = subprocess.run(
            ["/bin/sh", str(ROOT / "scripts" / "find-python")],
            env={"PATH": str(self.folder / "bin"), "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        return found.returncode, found.stdout.strip(), found.stderr.strip()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_preferred_version_on_the_path_is_taken(machine: Machine) -> None:
    machine.has("bin/python3.13", python("3.13"))
    preferred = machine.has("bin/python3.12", python("3.12"))

    assert machine.find() == (0, str(preferred), "")


def test_a_shim_that_only_fails_is_passed_over(machine: Machine) -> None:
    machine.has("bin/python3.12", BROKEN_SHIM)
    other = machine.has("bin/python3.13", python("3.13"))

    assert machine.find() == (0, str(other), "")


def test_a_version_that_pyenv_keeps_is_found(machine: Machine) -> None:
    machine.has("bin/python3.12", BROKEN_SHIM)
    kept = machine.has(".pyenv/versions/3.12.9/bin/python3.12", python("3.12"))

    assert machine.find() == (0, str(kept), "")


def test_three_eleven_is_taken_where_a_compiler_is(machine: Machine) -> None:
    only = machine.has("bin/python3.11", python("3.11"))
    machine.has("bin/cc", "#!/bin/sh\n")

    assert machine.find() == (0, str(only), "")


def test_three_eleven_without_a_compiler_is_refused_with_a_word(machine: Machine) -> None:
    machine.has("bin/python3.11", python("3.11"))

    status, found, why = machine.find()

    assert (status, found) == (2, "")
    assert "3.12 or 3.13 (or 3.11 and a C compiler)" in why


def test_another_version_under_the_name_is_refused(machine: Machine) -> None:
    machine.has("bin/python3.12", python("3.9"))

    assert machine.find()[0] == 2
