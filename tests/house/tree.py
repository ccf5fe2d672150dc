"""The tree as the house rules read it: its files, their syntax, and what they import."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROOMS = tuple(sorted(found.parent.name for found in ROOT.glob("*/__init__.py")))


@dataclass(frozen=True)
class Source:
    """One Python file; `name` is its path from the root."""

    name: str
    text: str
    syntax: ast.Module

    @property
    def room(self) -> str:
        return self.name.split("/")[0].removesuffix(".py")

    @property
    def stem(self) -> str:
        return Path(self.name).stem

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Everything in its syntax, walked once for all rules."""
        return tuple(ast.walk(self.syntax))

    def imports(self) -> Iterator[str]:
        """The full name of every module it imports."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


@cache
def product() -> tuple[Source, ...]:
    """The files of the rooms, and cli.py."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return tuple(_read(path) for path in [*paths, ROOT / "cli.py"])


@cache
def suite() -> tuple[Source, ...]:
    """The files under tests/."""
    return tuple(_read(path) for path in sorted((ROOT / "tests").rglob("*.py")))
