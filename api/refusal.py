"""A request that is refused: which kind of problem it is, and what may be said about it."""

from typing import Any


class Refusal(Exception):
    """Refused under one of `api.problems.KINDS`; `extra` are further members of the problem, for the sender's eyes."""

    def __init__(self, kind: str, detail: str = "", **extra: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail
        self.extra = extra
