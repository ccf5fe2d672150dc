"""Files of SQLite that are primary: written by several processes, durable when a call returns."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from events.durable_files import make_private

BUSY_S: Final = 5.0
"""How long a reader or writer waits for another one."""


@contextmanager
def primary_file(
    path: Path, *, schema: str, unusable: type[Exception], is_private: bool = False
) -> Iterator[sqlite3.Connection]:
    """A connection of its own to the file, made with the schema where there is none; each statement stands by itself.

    `unusable` when it cannot be used. A private file is its owner's alone, and what is deleted in it is overwritten.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_private:
            make_private(path)
        with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as connection:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", *(["secure_delete = ON"] if is_private else [])):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            _made(connection, schema)
            yield connection
    except (sqlite3.Error, OSError) as error:
        raise unusable(f"{path.name} cannot be used: {type(error).__name__}") from error


def _made(connection: sqlite3.Connection, schema: str) -> None:
    """Make the tables where there are none, or not all of this schema: the file carries the mark of the last one."""
    mark = zlib.crc32(schema.encode()) >> 1
    if connection.execute("PRAGMA user_version").fetchone()[0] != mark:
        connection.executescript(f"{schema}; PRAGMA user_version = {mark};")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of it or nothing: a connection that is closed before the end takes everything back."""
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.execute("COMMIT")


class LogStillRead(sqlite3.OperationalError):
    """Somebody reads what the write-ahead log holds: what was deleted is still in it."""


def empty_log(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead log, which holds pages as they were. LogStillRead: try again later."""
    [(is_busy, *_)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if is_busy:
        raise LogStillRead
