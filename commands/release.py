"""Which version of the program this is."""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

VERSION: Final = version("rapport")
"""The installed distribution's version; models and answers name it."""


@cache
def code_version() -> str:
    """The version, and what the code that makes suggestions is in: two programs that say the same answer the same."""
    digest = hashlib.blake2b(version("numpy").encode(), digest_size=6)
    for name, source in sorted(modules_in(files("recommender")), key=lambda found: found[0]):
        digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    return f"{VERSION}+{digest.hexdigest()}"


def modules_in(folder: Traversable, within: str = "") -> Iterator[tuple[str, Traversable]]:
    """Every module below a folder, with its path in it: what is imported from a subfolder makes suggestions too."""
    for each in folder.iterdir():
        name = f"{within}{each.name}"
        if each.is_dir():
            yield from modules_in(each, f"{name}/")
        elif each.name.endswith(".py"):
            yield name, each
