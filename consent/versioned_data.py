"""Data that comes in versions: how it is read, and how what a version says is hashed."""

import hashlib
from typing import Final

from consent.ledger_canonical import canonical
from events.data_files import DataFiles
from events.shape import Shape

FILE_BYTES_MAX: Final = 4 * 1024 * 1024


class DataInvalid(ValueError):
    """The data contradicts itself, a rule it has to keep, or is none; the text names the place."""


FILES: Final = DataFiles(bytes_max=FILE_BYTES_MAX, invalid=DataInvalid)


def content_hash(said: Shape) -> str:
    """SHA-256 (64 hex digits) over everything it says, in canonical JSON."""
    return hashlib.sha256(canonical(said.model_dump(mode="json"))).hexdigest()
