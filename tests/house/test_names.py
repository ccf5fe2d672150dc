"""Names tell a newcomer where to look."""

import ast
import re
import subprocess

from tests.house.tree import ROOT, product, suite

EMPTY_NAMES = {"base", "common", "core", "helpers", "misc", "models", "types", "util", "utils"}
# In two parts each, so that this file does not name them.
PLACES_OF_ONE_MACHINE = re.compile("|".join(["/" + "root/", "/" + "home/", "/" + "work/", "/" + "Users/"]))


def test_every_public_name_says_what_it_is() -> None:
    silent = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in product()
        for node in source.syntax.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not silent, "Give it a docstring (what it answers, units, errors) or a leading underscore:\n" + "\n".join(
        silent
    )


def test_no_module_is_named_after_nothing() -> None:
    empty = [source.name for source in product() + suite() if source.stem in EMPTY_NAMES]
    assert not empty, "Name it after the noun it holds, or move its parts to where they are used:\n" + "\n".join(empty)


def test_no_file_names_a_place_of_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = []
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.is_file() and PLACES_OF_ONE_MACHINE.search(path.read_bytes().decode(errors="replace")):
            found.append(name)
    assert not found, "Take the path as an argument, or make it relative to the checkout:\n" + "\n".join(found)
