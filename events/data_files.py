"""Data files that people write by hand: YAML, read with a bound on its size and errors that name the place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from yaml.composer import Composer

from events.shape import Shape

S = TypeVar("S", bound=Shape)


class _Loader(Composer, yaml.CSafeLoader):
    """Reads by libyaml, several times as fast as `yaml.SafeLoader`.

    What is read is put together by the composer in Python: libyaml's ends the process where lists lie too deep.
    """

    def __init__(self, stream: bytes) -> None:
        yaml.CSafeLoader.__init__(self, stream)
        Composer.__init__(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFiles:
    """One kind of data file: how many bytes it may have, and the error that whatever is wrong with one becomes."""

    bytes_max: int
    invalid: type[ValueError]

    def read(self, path: Path) -> bytes:
        """The bytes of a file, at most one more than it may have."""
        try:
            with path.open("rb") as file:
                return file.read(self.bytes_max + 1)
        except OSError as error:
            raise self.invalid(f"{path}: {error.strerror or error}") from error

    def parse(self, raw: bytes, *, name: str) -> Any:
        """What stands in YAML bytes; `name` stands in front of what is wrong with them."""
        if len(raw) > self.bytes_max:
            raise self.invalid(f"{name}: more than {self.bytes_max} bytes")
        try:
            return yaml.load(raw, _Loader)  # noqa: S506 - it makes plain values only
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise self.invalid(f"{name}: not YAML: {error}") from error

    def shaped(self, shape: type[S], content: Any, *, name: str) -> S:
        """Parsed content as a shape."""
        try:
            return shape.model_validate(content)
        except ValidationError as error:
            raise self.invalid(f"{name}: {_told(error)}") from None


def _told(error: ValidationError) -> str:
    """The first few problems with their places, by the names in the file: it holds nothing of a person."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)[:5]
    places = (".".join(map(str, problem["loc"])) for problem in problems)
    words = (problem["msg"].removeprefix("Value error, ") for problem in problems)
    return "; ".join(f"{place}: {said}" if place else said for place, said in zip(places, words, strict=True))
