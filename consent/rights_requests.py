"""Requests for erasure, how far each is, and whom they were about as a keyed hash: one SQLite file.

This is primary: nothing else can make it again, so it lies apart from the store and belongs into the backup.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from consent.rights import Done, Erasure, StepName, kinds_of
from consent.sqlite_files import empty_log, primary_file, transaction

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS erasure (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, asked_at INTEGER NOT NULL,
    asked_by TEXT NOT NULL, identities TEXT NOT NULL, kinds TEXT NOT NULL, left TEXT NOT NULL, certificate TEXT
);
CREATE TABLE IF NOT EXISTS step (
    number INTEGER NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, found TEXT NOT NULL, PRIMARY KEY (number, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (
    hash BLOB NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (hash, number)
) WITHOUT ROWID;
"""
_IN_STORE: Final = "FROM erased JOIN step USING (number) WHERE step.name = 'store'"
_SELECT: Final = "SELECT number, id, asked_at, asked_by, identities, kinds, left, certificate FROM erasure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it comes in: about pseudonyms verified as one person.

    `left` are pseudonyms that stay; only their namespaces are kept. `hashes` as `consent.rights.suppression`. `by`
    names the API key; `at` is ms.
    """

    id: str
    identities: Collection[str]
    left: Collection[str]
    hashes: Collection[bytes]
    at: int
    by: str


class Certified(NamedTuple):
    """An erasure that is done: its number, its id, when it was asked for (ms)."""

    number: int
    id: str
    asked_at: int


class RightsUnavailable(Exception):
    """It cannot be noted, or not be told, what was asked for: so nothing is begun."""


@dataclass(frozen=True, slots=True)
class RightsRequests:
    """The requests in one file, written by several processes; all calls block. RightsUnavailable."""

    path: Path

    def open(self, asked: "Asked") -> Erasure:
        """Let a request stand, durably; one about the same identities that is not done yet is answered instead."""
        listed = _json(sorted(asked.identities))
        kinds, left = _json(kinds_of(asked.identities)), _json(kinds_of(asked.left))
        with self._writing() as db:
            db.execute(
                "INSERT INTO erasure (id, asked_at, asked_by, identities, kinds, left)"
                " SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS"
                " (SELECT 1 FROM erasure WHERE identities = ? AND certificate IS NULL)",
                (asked.id, asked.at, asked.by, listed, kinds, left, listed),
            )
            found = db.execute(f"{_SELECT} WHERE identities = ? AND certificate IS NULL", (listed,)).fetchone()
            db.executemany("INSERT OR IGNORE INTO erased VALUES (?, ?)", [(each, found[0]) for each in asked.hashes])
            return _erasure(db, found)

    def pending(self) -> list[Erasure]:
        """The requests that are not certified, the oldest first."""
        return self._listed("WHERE certificate IS NULL ORDER BY number")

    def find(self, request_id: str) -> Erasure | None:
        """The request of that id."""
        return next(iter(self._listed("WHERE id = ?", request_id)), None)

    def listed(self) -> list[Erasure]:
        """All requests, the latest first."""
        return self._listed("ORDER BY number DESC")

    def done(self, erasure: Erasure, step: StepName, *, at: int, found: Mapping[str, int]) -> None:
        """Note a step, durably; one that was noted stays as it is."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO step VALUES (?, ?, ?, ?)", (erasure.number, step, at, _json(dict(found))))

    def certify(self, erasure: Erasure, certificate: str, *, at: int) -> None:
        """Keep the certificate, and forget whom it is about."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO step VALUES (?, 'certified', ?, '{}')", (erasure.number, at))
            db.execute(
                "UPDATE erasure SET certificate = ?, identities = '[]' WHERE number = ?", (certificate, erasure.number)
            )
        with self._connected() as db:
            empty_log(db)

    def latest(self) -> int:
        """The greatest number of a request that was done in the store, 0 before the first."""
        if not self.path.exists():
            return 0
        with self._connected() as db:
            return int(db.execute(f"SELECT coalesce(max(number), 0) {_IN_STORE}").fetchone()[0])

    def erased_since(self, number: int) -> frozenset[bytes]:
        """The hashes of all identities that requests after this one erased from the store."""
        if not self.path.exists():
            return frozenset()
        with self._connected() as db:
            found = db.execute(f"SELECT hash {_IN_STORE} AND number > ?", (number,))
            return frozenset(each for (each,) in found)

    def certified_after(self, number: int) -> dict[bytes, Certified]:
        """Hash of an identity -> the last request about it, of those after this one that are certified."""
        if not self.path.exists():
            return {}
        with self._connected() as db:
            found = db.execute(
                "SELECT hash, number, id, asked_at FROM erased JOIN erasure USING (number)"
                " WHERE certificate IS NOT NULL AND number > ? ORDER BY number",
                (number,),
            )
            return {each: Certified(*rest) for each, *rest in found}

    def _listed(self, which: str, *values: str) -> list[Erasure]:
        if not self.path.exists():
            return []
        with self._connected() as db:
            rows = db.execute(f"{_SELECT} {which}", values).fetchall()
            return [_erasure(db, row) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db, transaction(db):
            yield db

    def _connected(self) -> AbstractContextManager[sqlite3.Connection]:
        return primary_file(self.path, schema=_SCHEMA, unusable=RightsUnavailable, is_private=True)


def _erasure(db: sqlite3.Connection, row: tuple[Any, ...]) -> Erasure:
    number, request_id, asked_at, asked_by, identities, kinds, left, certificate = row
    steps = db.execute("SELECT name, at, found FROM step WHERE number = ?", (number,))
    return Erasure(
        number=number,
        id=request_id,
        asked_at=asked_at,
        asked_by=asked_by,
        identities=tuple(json.loads(identities)),
        kinds=tuple(json.loads(kinds)),
        left=tuple(json.loads(left)),
        done={name: Done(at, json.loads(found)) for name, at, found in steps},
        certificate=certificate,
    )


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
