"""Keys in one file of SQLite, which is its owner's alone: what is deleted in it is overwritten."""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from events.body_keys import BodyKeysUnavailable, KeyName, Retired, StoredKey
from events.durable_files import make_private

BUSY_S: Final = 5.0
_AT_ONCE: Final = 500
_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS body_key (
    id TEXT PRIMARY KEY, identity TEXT, kind TEXT, period TEXT, wrapped BLOB, because TEXT, until INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS body_key_name ON body_key (identity, kind, period) WHERE identity IS NOT NULL;
CREATE INDEX IF NOT EXISTS body_key_retired ON body_key (because) WHERE because IS NOT NULL;
CREATE TABLE IF NOT EXISTS reached (number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS destroyed (number INTEGER NOT NULL);
INSERT INTO destroyed SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM destroyed);
CREATE TRIGGER IF NOT EXISTS body_key_destroyed AFTER UPDATE OF identity ON body_key
    WHEN old.identity IS NOT NULL AND new.identity IS NULL BEGIN UPDATE destroyed SET number = number + 1; END;
COMMIT;
"""
_FIND: Final = "SELECT id, CASE WHEN identity IS NULL THEN NULL ELSE wrapped END FROM body_key WHERE id IN"
_DESTROYED: Final = (
    "UPDATE body_key SET identity = NULL, kind = NULL, period = NULL, wrapped = NULL, because = NULL, until = NULL"
)


class SqliteBodyKeys:
    """See `events.body_keys.BodyKeys`. A key that is gone leaves its id, by which it is known to have been."""

    is_near: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._open: sqlite3.Connection | None = None

    def __del__(self) -> None:
        self._close()

    def named(self, names: Collection[KeyName]) -> dict[KeyName, StoredKey]:
        """See `BodyKeys`."""
        with self._connected() as db:
            return _named(db, names)

    def ensure(self, offered: Mapping[KeyName, StoredKey]) -> dict[KeyName, StoredKey]:
        """See `BodyKeys`."""
        with self._writing() as db:
            db.executemany(
                "INSERT INTO body_key (id, identity, kind, period, wrapped) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                [(stored.id, *name, stored.wrapped) for name, stored in offered.items()],
            )
            return _named(db, offered)

    def find(self, ids: Collection[str]) -> dict[str, bytes | None]:
        """See `BodyKeys`."""
        found: dict[str, bytes | None] = {}
        with self._connected() as db:
            for some in _some(sorted(ids)):
                found.update(db.execute(f"{_FIND} ({_marks(some)})", some))
        return found

    def identities(self) -> set[str]:
        """See `BodyKeys`."""
        with self._connected() as db:
            return {name for (name,) in db.execute("SELECT DISTINCT identity FROM body_key WHERE identity IS NOT NULL")}

    def tally(self) -> dict[tuple[str, str], int]:
        """See `BodyKeys`."""
        with self._connected() as db:
            rows = db.execute(
                "SELECT kind, period, count(*) FROM body_key WHERE identity IS NOT NULL GROUP BY kind, period"
            )
            return {(kind, period): count for kind, period, count in rows}

    def destroy(self, identities: Collection[str], *, spared: Collection[str] = ()) -> int:
        """See `BodyKeys`."""
        kept = sorted(spared)
        with self._writing() as db:
            return sum(
                db.execute(f"{_DESTROYED} WHERE identity = ? AND kind NOT IN ({_marks(kept)})", (each, *kept)).rowcount
                for each in identities
            )

    def age_out(self, kind: str, period: str) -> int:
        """See `BodyKeys`."""
        with self._writing() as db:
            return db.execute(
                f"{_DESTROYED} WHERE kind = ? AND period = ? AND identity IS NOT NULL", (kind, period)
            ).rowcount

    def retire(self, identities: Collection[str], *, because: str, until: int) -> int:
        """See `BodyKeys`."""
        with self._writing() as db:
            return sum(
                db.execute(
                    "UPDATE body_key SET identity = NULL, kind = NULL, period = NULL, because = ?, until = ?"
                    " WHERE identity = ?",
                    (because, until, each),
                ).rowcount
                for each in identities
            )

    def destructions(self) -> int:
        """See `BodyKeys`."""
        with self._connected() as db:
            return int(db.execute("SELECT number FROM destroyed").fetchone()[0])

    def retired(self) -> list[Retired]:
        """See `BodyKeys`."""
        with self._connected() as db:
            rows = db.execute(
                "SELECT id, wrapped, because, until FROM body_key WHERE because IS NOT NULL ORDER BY because, id"
            )
            return [Retired(*row) for row in rows]

    def end(self, ids: Collection[str]) -> int:
        """See `BodyKeys`."""
        with self._writing() as db:
            return sum(
                db.execute(f"{_DESTROYED} WHERE id = ? AND because IS NOT NULL", (each,)).rowcount for each in ids
            )

    def give_up(self, ids: Collection[str]) -> int:
        """See `BodyKeys`."""
        with self._writing() as db:
            return sum(
                db.execute("INSERT INTO body_key (id) VALUES (?) ON CONFLICT DO NOTHING", (each,)).rowcount
                for each in ids
            )

    def reached(self) -> int:
        """See `BodyKeys`."""
        with self._connected() as db:
            return int(db.execute("SELECT coalesce(max(number), 0) FROM reached").fetchone()[0])

    def reach(self, number: int) -> None:
        """See `BodyKeys`."""
        with self._writing() as db:
            db.execute("DELETE FROM reached")
            db.execute("INSERT INTO reached VALUES (?)", (number,))

    def wipe(self) -> str | None:
        """See `BodyKeys`."""
        with self._connected() as db:
            # SQLite's log holds pages as they were.
            is_busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return "the keys are being read, and their log cannot be emptied now" if is_busy else None

    def close(self) -> None:
        """Let go of the file; it is opened again when it is asked."""
        with self._turn:
            self._close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The one connection, for one thread at a time; opened anew after whatever went wrong."""
        with self._turn:
            try:
                self._open = self._open or _opened(self._path)
                yield self._open
            except BaseException as error:
                self._close()
                if isinstance(error, sqlite3.Error | OSError):
                    raise BodyKeysUnavailable(
                        f"the keys in {self._path.name} cannot be used: {type(error).__name__}"
                    ) from error
                raise

    def _close(self) -> None:
        standing, self._open = self._open, None
        if standing is not None:
            standing.close()


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_private(path)
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _named(db: sqlite3.Connection, names: Collection[KeyName]) -> dict[KeyName, StoredKey]:
    found = {}
    for name in names:
        row = db.execute(
            "SELECT id, wrapped FROM body_key WHERE identity = ? AND kind = ? AND period = ?", name
        ).fetchone()
        if row is not None:
            found[name] = StoredKey(*row)
    return found


def _some(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE))


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))
