"""Reading data that comes in versions, and hashing what a version says."""

import hashlib
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import ValidationError

from consent.ledger_canonical import canonical
from events.fact import describe
from events.shape import Shape

FILE_BYTES_MAX: Final = 4 * 1024 * 1024

S = TypeVar("S", bound=Shape)


class DataInvalid(ValueError):
    """The data contradicts itself, a rule it has to keep, or is none; the text names the place."""


def read_data(path: Path) -> bytes:
    """The bytes of a file; DataInvalid where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataInvalid(f"{path}: {error.strerror or error}") from error


def parse_data(raw: bytes, *, name: str) -> Any:
    """What stands in YAML bytes; `name` stands in front of what is wrong with them."""
    if len(raw) > FILE_BYTES_MAX:
        raise DataInvalid(f"{name}: more than {FILE_BYTES_MAX} bytes")
    try:
        return yaml.safe_load(raw)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DataInvalid(f"{name}: not YAML: {error}") from error


def shaped(shape: type[S], content: Any, *, name: str) -> S:
    """Parsed content as a shape; DataInvalid names the place where it is not."""
    try:
        return shape.model_validate(content)
    except ValidationError as error:
        raise DataInvalid(f"{name}: {describe(error)}") from None


def content_hash(said: Shape) -> str:
    """SHA-256 (64 hex digits) over everything it says, in canonical JSON."""
    return hashlib.sha256(canonical(said.model_dump(mode="json"))).hexdigest()
