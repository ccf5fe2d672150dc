"""Accesses: who looked at whom, in what role, for what declared purpose. Noted durably before the answer leaves.

This is primary: nothing else can make it again. It holds pseudonyms and what the looker declared, never what was seen.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from consent.sqlite_files import empty_log, primary_file

REASON_MIN: Final = 10
"""Characters that breaking the glass has to be explained with, at least."""
REASON_MAX: Final = 200
UNDECLARED: Final = "undeclared"

DECLARABLE: Final[Mapping[str, frozenset[str]]] = {
    "agent": frozenset({"answer", "record_consent"}),
    "privacy": frozenset({"request", "audit", "incident"}),
}
"""Role -> what it may look at a person for. Anything else breaks the glass: it needs a reason, and is listed."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS access (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, key TEXT NOT NULL, role TEXT NOT NULL,
    what TEXT NOT NULL, identity TEXT, purpose TEXT NOT NULL, reason TEXT NOT NULL, broke_glass INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS access_identity ON access (identity, at);
CREATE INDEX IF NOT EXISTS access_at ON access (at);
CREATE TABLE IF NOT EXISTS put_down (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
"""
_COLUMNS: Final = "at, key, role, what, identity, purpose, reason, broke_glass"


class Access(NamedTuple):
    """One look at something.

    `at` is ms; `key` is the id of an API key; `identity` is the pseudonym looked up, None where it was about nobody.
    """

    at: int
    key: str
    role: str
    what: str
    identity: str | None
    purpose: str
    reason: str
    broke_glass: bool


class Declared(NamedTuple):
    """What a looker said they look for, and whether it breaks the glass."""

    purpose: str
    reason: str
    broke_glass: bool


class NotDeclared(ValueError):
    """The role does not look at people for that, and no reason was given; the text may be told."""


class AccessesUnavailable(Exception):
    """It cannot be noted, or not be told, who looked: so nobody looks."""


def declared(role: str, *, purpose: str | None, reason: str | None) -> Declared:
    """What is noted of a look under this role; NotDeclared where it may not be."""
    said = (reason or "").strip()
    if len(said) > REASON_MAX:
        raise NotDeclared(f"a reason has at most {REASON_MAX} characters")
    if purpose is None:
        return Declared(UNDECLARED, said, broke_glass=False)
    if purpose in DECLARABLE.get(role, frozenset()):
        return Declared(purpose, said, broke_glass=False)
    if purpose not in _ALL:
        raise NotDeclared(f"there is no such purpose; there are {', '.join(sorted(_ALL))}")
    if len(said) < REASON_MIN:
        raise NotDeclared(f"{role} keys do not look for {purpose}: say why, in at least {REASON_MIN} characters")
    return Declared(purpose, said, broke_glass=True)


_ALL: Final = frozenset().union(*DECLARABLE.values())


@dataclass(frozen=True, slots=True)
class AccessLog:
    """The accesses in one SQLite file, written by several processes; all calls block. AccessesUnavailable."""

    path: Path

    def note(self, access: Access) -> None:
        """Durable when it returns."""
        with self._connected() as connection:
            connection.execute(f"INSERT INTO access ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", access)  # noqa: S608 - names of ours

    def of(self, identities: Collection[str], *, limit: int) -> list[Access]:
        """Who looked at these identities, the latest first."""
        marks = ", ".join("?" * len(identities))
        return self._listed(f"identity IN ({marks})", *identities, limit=limit)

    def since(self, at: int, *, broke_glass: bool, limit: int) -> list[Access]:
        """All accesses from a moment (ms) on, or only those that broke the glass; the latest first."""
        return self._listed("at >= ? AND broke_glass >= ?", at, broke_glass, limit=limit)

    def not_put_down(self, *, limit: int) -> list[tuple[int, Access]]:
        """The accesses, by number, that are not on the ledger yet; oldest first."""
        query = (
            f"SELECT number, {_COLUMNS} FROM access"  # noqa: S608 - names of ours
            " WHERE number > coalesce((SELECT number FROM put_down), 0) ORDER BY number LIMIT ?"
        )
        with self._connected() as connection:
            return [(number, _access(row)) for number, *row in connection.execute(query, (limit,))]

    def mark_put_down(self, number: int) -> None:
        """All accesses up to this number are on the ledger."""
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO put_down VALUES (1, ?) ON CONFLICT DO UPDATE SET number = excluded.number", (number,)
            )

    def forget(self, identities: Collection[str]) -> int:
        """Keep that somebody looked, and forget at whom; how many looks that were."""
        with self._connected() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            gone = [
                connection.execute("UPDATE access SET identity = NULL WHERE identity = ?", (identity,)).rowcount
                for identity in identities
            ]
            empty_log(connection)
        return sum(gone)

    def age_out(self, before: int) -> int:
        """Delete the looks before a moment (ms) that are on the ledger; how many."""
        with self._connected() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            gone = connection.execute(
                "DELETE FROM access WHERE at < ? AND number <= coalesce((SELECT number FROM put_down), 0)", (before,)
            ).rowcount
            empty_log(connection)
        return gone

    def _listed(self, where: str, *values: str | int, limit: int) -> list[Access]:
        query = f"SELECT {_COLUMNS} FROM access WHERE {where} ORDER BY at DESC, number DESC LIMIT ?"  # noqa: S608 - names of ours
        with self._connected() as connection:
            rows = connection.execute(query, (*values, limit))
            return [_access(row) for row in rows]

    def _connected(self) -> AbstractContextManager[sqlite3.Connection]:
        return primary_file(self.path, schema=_SCHEMA, unusable=AccessesUnavailable)


def _access(row: Sequence[Any]) -> Access:
    return Access(*row)._replace(broke_glass=bool(row[-1]))
