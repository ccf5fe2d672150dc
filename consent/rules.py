"""The rules an answer goes by beside what a person said: the matrix and the notices of one installation."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from consent.matrix import DEFAULT_MATRIX, Matrix
from consent.notices import DEFAULT_NOTICES, Notices
from consent.purposes import PURPOSES
from consent.state import Form


@dataclass(frozen=True, slots=True)
class Rules:
    """What purposes rest on, and what people were told, in all versions."""

    matrix: Matrix
    notices: Notices

    @classmethod
    def load(cls, *, matrix: Path = DEFAULT_MATRIX, notices: Path = DEFAULT_NOTICES) -> "Rules":
        """The rules in two YAML files; DataInvalid names the place where they are none."""
        return cls(Matrix.load(matrix), Notices.load(notices))

    @property
    def hash(self) -> str:
        """32 hex digits that change with anything any version of them says."""
        versions = sorted({each.hash for each in self.matrix.versions} | {each.hash for each in self.notices.versions})
        return hashlib.blake2b("\n".join(versions).encode(), digest_size=16).hexdigest()

    def needs_form(self, purpose: str, *, now: int) -> bool:
        """Whether agreeing to the purpose takes more than an affirmative act, somewhere, at `now` (ms)."""
        strictest = self.matrix.ground(purpose, None, at=now, known_at=now) if purpose in PURPOSES else None
        return strictest is not None and strictest.form > Form.EXPRESSED


@cache
def shipped_rules() -> Rules:
    """The rules that come with the program."""
    return Rules.load()
