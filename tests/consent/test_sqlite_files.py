"""Files of SQLite that are primary: made once, and again only where their schema is another one."""

import sqlite3
from pathlib import Path
from typing import Final

from consent.sqlite_files import primary_file

COUNTED: Final = "CREATE TABLE IF NOT EXISTS made (one INTEGER); INSERT INTO made VALUES (1)"


def times_made(path: Path, schema: str = COUNTED) -> int:
    with primary_file(path, schema=schema, unusable=RuntimeError) as connection:
        return int(connection.execute("SELECT count(*) FROM made").fetchone()[0])


def test_tables_are_made_when_the_file_is_and_not_at_every_use(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.sqlite"

    assert [times_made(path) for _ in range(3)] == [1, 1, 1]


def test_a_file_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "file.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(COUNTED)
    connection.close()

    assert times_made(path) == 2
    assert times_made(path, f"{COUNTED}; CREATE TABLE IF NOT EXISTS more (one INTEGER)") == 3
