"""The openings of the ledger, in SQLite: what each leaf stands for, until it is destroyed; and how far things are.

An opening is durable before its leaf is written, so a leaf can always be made again from it. What is deleted is
overwritten in the file, and the write-ahead log is emptied after it.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from consent.ledger_entry import EntryUnknown, LedgerDamaged, LedgerError, Opening
from events.durable_files import make_private

_VERSION: Final = 1
_ASKED_AT_ONCE: Final = 500
_SCHEMA: Final = f"""
BEGIN;
CREATE TABLE openings (
    leaf INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, salt BLOB, payload BLOB, destroyed_by INTEGER
);
CREATE TABLE subjects (identity TEXT, leaf INTEGER, PRIMARY KEY (identity, leaf)) WITHOUT ROWID;
CREATE TABLE places (epoch INTEGER, partition INTEGER, next INTEGER, PRIMARY KEY (epoch, partition)) WITHOUT ROWID;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL, made_at INTEGER NOT NULL);
CREATE TABLE publications (target TEXT PRIMARY KEY, size INTEGER, at INTEGER NOT NULL, failure TEXT) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
COMMIT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A follower has taken the partition of this epoch up to `next`."""

    epoch: int
    partition: int
    next: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An opening as it is kept: salt and payload are None once the entry at leaf `destroyed_by` had them destroyed."""

    id: str
    leaf: int
    salt: bytes | None
    payload: bytes | None
    destroyed_by: int | None = None
    subjects: frozenset[str] = frozenset()

    def opening(self) -> Opening:
        """What the leaf stands for; EntryUnknown when that was destroyed."""
        if self.salt is None or self.payload is None:
            raise EntryUnknown(f"the opening of leaf {self.leaf} was destroyed")
        return Opening(index=self.leaf, salt=self.salt, payload=self.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """How far a target was told: the size it has (None: nothing yet), when we last tried (ms), what went wrong."""

    target: str
    size: int | None
    at: int
    failure: str | None


class Openings:
    """The openings in one file; `read_only` for who only looks. LedgerDamaged when it is no such file.

    `busy_s` is how long others are waited for.

    Every write is durable when it returns, all or nothing; LedgerError when it could not be made.
    """

    def __init__(self, path: Path, *, read_only: bool = False, busy_s: float = 30.0) -> None:
        if not read_only:
            make_private(path)
        try:
            self._db = _opened(path, read_only=read_only, busy_s=busy_s)
        except sqlite3.Error as error:
            raise LedgerDamaged(f"{path.name} cannot be read as the openings of a ledger: {error}") from None

    @property
    def size(self) -> int:
        """How many leaves there are or have to be."""
        return self._number("SELECT coalesce(max(leaf), -1) + 1 FROM openings")

    def known(self, ids: Sequence[str]) -> dict[str, int]:
        """The leaves of those entries that are there already."""
        found: dict[str, int] = {}
        for at in range(0, len(ids), _ASKED_AT_ONCE):
            part = ids[at : at + _ASKED_AT_ONCE]
            found |= self._ask(f"SELECT id, leaf FROM openings WHERE id IN ({_marks(part)})", *part)  # noqa: S608
        return found

    def add(self, rows: Sequence[Row], *, place: Place | None = None) -> None:
        """Keep openings, and the place after them."""
        with self._writing() as db:
            db.executemany(
                "INSERT INTO openings (leaf, id, salt, payload) VALUES (?, ?, ?, ?)",
                [(each.leaf, each.id, each.salt, each.payload) for each in rows],
            )
            db.executemany(
                "INSERT INTO subjects VALUES (?, ?)",
                [(identity, each.leaf) for each in rows for identity in each.subjects],
            )
            if place is not None:
                db.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", (place.epoch, place.partition, place.next))

    def rows(self, start: int, end: int) -> Iterator[Row]:
        """The openings of leaves `[start, end)` in order, destroyed ones too."""
        asked = "SELECT id, leaf, salt, payload, destroyed_by FROM openings WHERE leaf >= ? AND leaf < ? ORDER BY leaf"
        for name, leaf, salt, payload, destroyed_by in self._ask(asked, start, end):
            yield Row(id=name, leaf=leaf, salt=_blob(salt), payload=_blob(payload), destroyed_by=destroyed_by)

    def kept(self, start: int, end: int) -> dict[int, tuple[object, object, object]]:
        """Leaf -> salt, payload and what destroyed them, as they stand in the file, for the leaves `[start, end)`."""
        asked = "SELECT leaf, salt, payload, destroyed_by FROM openings WHERE leaf >= ? AND leaf < ?"
        return {leaf: (salt, payload, by) for leaf, salt, payload, by in self._ask(asked, start, end)}

    def row(self, entry_id: str) -> Row:
        """One entry's; EntryUnknown where there is none."""
        leaf = self.known([entry_id]).get(entry_id)
        if leaf is None:
            raise EntryUnknown(f"the ledger has no entry {entry_id}")
        return next(self.rows(leaf, leaf + 1))

    def next_offset(self, epoch: int, partition: int) -> int:
        """Where a partition is to be gone on with."""
        asked = "SELECT coalesce(max(next), 0) FROM places WHERE epoch = ? AND partition = ?"
        return self._number(asked, epoch, partition)

    def about(self, identities: Collection[str]) -> list[Row]:
        """The openings that are about one of the identities and not destroyed, in order."""
        asked = "SELECT DISTINCT leaf FROM subjects WHERE identity = ?"
        leaves = {leaf for identity in identities for (leaf,) in self._ask(asked, identity)}
        rows = (next(self.rows(leaf, leaf + 1)) for leaf in sorted(leaves))
        return [row for row in rows if row.salt is not None]

    def destroy(self, identities: Collection[str], *, because: int) -> list[int]:
        """Overwrite every opening that is about one of the identities; the leaves that lost theirs."""
        with self._writing() as db:
            leaves: set[int] = set()
            for identity in identities:
                leaves |= {leaf for (leaf,) in db.execute("SELECT leaf FROM subjects WHERE identity = ?", (identity,))}
            if because in leaves:
                raise LedgerError("the entry that says why must not be about those who are forgotten")
            _overwrite(db, leaves, because=because)
        self._empty_log()
        return sorted(leaves)

    def older(self, kinds: Collection[str], *, clock: str, before: int) -> list[int]:
        """The leaves of entries of these kinds whose content says an earlier time (ms) under the name `clock`.

        Reads every opening there is.
        """
        names, said = sorted(kinds), "json_extract(CAST(payload AS TEXT), ?)"
        which = f"{said} IN ({_marks(names)}) AND {said} < ?"
        asked = f"SELECT leaf FROM openings WHERE payload IS NOT NULL AND {which} ORDER BY leaf"  # noqa: S608 - words of ours
        return [leaf for (leaf,) in self._ask(asked, "$.kind", *names, f"$.content.{clock}", before)]

    def overwrite(self, leaves: Collection[int], *, because: int) -> None:
        """Overwrite the openings of these leaves for the sake of the entry at leaf `because`."""
        with self._writing() as db:
            _overwrite(db, leaves, because=because)
        self._empty_log()

    def _empty_log(self) -> None:
        """SQLite's log holds pages as they were."""
        [(is_busy, *_)] = self._ask("PRAGMA wal_checkpoint(TRUNCATE)")
        if is_busy:
            raise LedgerError("the openings are being read, so what was destroyed may be on disk: forget them again")

    def keep_checkpoint(self, note: str, *, size: int, now_ms: int) -> None:
        """Keep a signed checkpoint."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", (size, note, now_ms))

    def checkpoints(self, *, most: int = -1) -> list[tuple[int, str, int]]:
        """Size, note and time (ms) of the checkpoints, the last one first."""
        return self._ask("SELECT size, note, made_at FROM checkpoints ORDER BY size DESC LIMIT ?", most)

    def keep_publication(self, told: Publication) -> None:
        """Remember how far a target was told."""
        with self._writing() as db:
            values = (told.target, told.size, told.at, told.failure)
            db.execute("INSERT OR REPLACE INTO publications VALUES (?, ?, ?, ?)", values)

    def publications(self) -> list[Publication]:
        """How far every target was told."""
        rows = self._ask("SELECT target, size, at, failure FROM publications ORDER BY target")
        return [Publication(target=target, size=size, at=at, failure=failure) for target, size, at, failure in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise LedgerError(f"the openings of the ledger could not be written: {error}") from error

    def _number(self, asked: str, *values: int) -> int:
        return int(self._ask(asked, *values)[0][0])

    def _ask(self, asked: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(asked, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerDamaged(f"the openings of the ledger could not be read: {error}") from error


def _opened(path: Path, *, read_only: bool, busy_s: float) -> sqlite3.Connection:
    if not read_only:
        db = _connected(path, "mode=rw", busy_s)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.executescript(_SCHEMA)
    else:
        try:
            db = _connected(path, "mode=ro", busy_s)
            db.execute("PRAGMA user_version").fetchall()
        except sqlite3.OperationalError:
            # A copy on a medium that cannot be written to has no room for the files beside it.
            db = _connected(path, "immutable=1", busy_s)
    if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        raise sqlite3.DatabaseError("written by another version")
    return db


def _connected(path: Path, how: str, busy_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )


def _overwrite(db: sqlite3.Connection, leaves: Collection[int], *, because: int) -> None:
    gone = [(because, leaf) for leaf in sorted(leaves)]
    db.executemany("UPDATE openings SET salt = NULL, payload = NULL, destroyed_by = ? WHERE leaf = ?", gone)
    db.executemany("DELETE FROM subjects WHERE leaf = ?", [(leaf,) for _, leaf in gone])


def _blob(value: object) -> bytes | None:
    """What SQLite kept, whatever somebody put there by hand."""
    return value if isinstance(value, bytes) else None


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))
