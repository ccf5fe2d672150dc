"""What is built to be installed holds all that the product needs, and works where the source tree is not."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import ROOMS, ROOT

INSTALLED = [room for room in ROOMS if room != "benchmarks"]
UV = ROOT / ".tools" / "bin" / "uv"

AT_WORK = """
import importlib, pkgutil, sys
from pathlib import Path

home = Path(sys.argv[1])
for room in sys.argv[2:]:
    package = importlib.import_module(room)
    assert Path(package.__file__).is_relative_to(home), package.__file__
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

from outreach.triggers import load_triggers
from profiles.codec import decode_facet, encode_facet
from profiles.facet import Facet
from profiles.redis_library import library_code
from recommender.catalogue import load_catalogue

assert load_triggers(load_catalogue())
assert decode_facet(encode_facet(Facet())) == Facet()
assert library_code()
import cli
sys.argv = ["rapport", "--help"]
cli.main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not UV.exists():
        pytest.skip("uv is not here; `make setup` brings it")
    folder = tmp_path_factory.mktemp("wheel")
    # What builds it is at hand since it built the environment these tests run in.
    built = subprocess.run(
        [str(UV), "build", "--wheel", "--offline", "--quiet", "--out-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    [found] = folder.glob("*.whl")
    return found


def sources() -> set[str]:
    """Every file of the rooms: modules, scripts, dictionaries, defaults."""
    files = (file for room in INSTALLED for file in (ROOT / room).rglob("*") if file.is_file())
    return {str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts} | {"cli.py"}


def test_the_wheel_holds_every_file_of_every_room_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert {name for name in sources() if not name.endswith(".py")} >= {
        "profiles/rapport_v1.lua",
        "recommender/catalogue.yaml",
        "outreach/triggers.yaml",
    }
    assert held == sources()


@pytest.mark.thorough
def test_what_was_installed_works_without_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home)
    # Without `site` nothing leads back to the source tree, where this environment finds the product.
    paths = dict.fromkeys([str(home), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])

    done = subprocess.run(
        [sys.executable, "-S", "-c", AT_WORK, str(home), *INSTALLED],
        env={"PYTHONPATH": ":".join(paths), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "rebuild" in done.stdout
