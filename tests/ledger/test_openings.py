"""Openings are kept apart from the tree, durably, and go when they are to go."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from consent.ledger import OPENINGS
from consent.ledger_entry import EntryUnknown, LedgerDamaged, LedgerError
from consent.ledger_openings import Openings, Row
from tests.ledger.ledgers import entries, open_ledger

ADA = "app:" + "a" * 26


def row(leaf: int, *, entry_id: str | None = None) -> Row:
    return Row(
        id=entry_id or f"entry:{leaf}",
        leaf=leaf,
        salt=b"salt of entry " + bytes([65 + leaf]) * 18,
        payload=b"{}",
        subjects=frozenset({ADA}),
    )


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with closing(Openings(tmp_path / OPENINGS)) as openings:
        openings.add([row(0)])
        with pytest.raises(LedgerError, match="could not be written"):
            openings.add([row(1), row(2, entry_id="entry:0")])

        assert openings.size == 1
        openings.add([row(1)])
        assert openings.known(["entry:0", "entry:1", "entry:2"]) == {"entry:0": 0, "entry:1": 1}


def test_what_cannot_be_wiped_yet_is_said_and_wiped_when_it_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / OPENINGS
    with closing(Openings(path, busy_s=0.05)) as openings, closing(sqlite3.connect(path)) as reader:
        openings.add([row(0), row(1)])
        openings.add([Row(id="why", leaf=2, salt=b"s", payload=b"{}")])
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM openings").fetchall()
        with pytest.raises(LedgerError, match="forget them again"):
            openings.destroy([ADA], because=2)
        with pytest.raises(EntryUnknown):
            openings.row("entry:0").opening()

        reader.execute("COMMIT")
        assert openings.destroy([ADA], because=2) == []
        held = b"".join(found.read_bytes() for found in tmp_path.iterdir())
        assert b"salt of entry" not in held
        assert ADA.encode() not in held


@pytest.mark.parametrize(("pragma", "value"), [("secure_delete", 1), ("synchronous", 2), ("journal_mode", "wal")])
def test_what_is_deleted_is_overwritten_and_what_is_written_is_durable(
    pragma: str, value: object, tmp_path: Path
) -> None:
    """However SQLite was built: some builds do the first by themselves, others do not."""
    with closing(Openings(tmp_path / OPENINGS)) as openings:
        assert openings._ask(f"PRAGMA {pragma}") == [(value,)]


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    open_ledger(tmp_path).append(entries(3))

    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob(f"{OPENINGS}*")} == {0o600}


def test_openings_of_another_version_are_refused_with_a_word(tmp_path: Path) -> None:
    Openings(tmp_path / OPENINGS).close()
    with closing(sqlite3.connect(tmp_path / OPENINGS)) as db:
        db.execute("PRAGMA user_version = 9")

    with pytest.raises(LedgerDamaged, match="another version"):
        Openings(tmp_path / OPENINGS)


def test_who_only_looks_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / OPENINGS
    with closing(Openings(path)) as openings:
        openings.add([row(0)])
    with closing(Openings(path, read_only=True)) as looking:
        assert looking.size == 1
        with pytest.raises(LedgerError, match="could not be written"):
            looking.add([row(1)])


def test_damage_found_while_reading_is_said(tmp_path: Path) -> None:
    path = tmp_path / OPENINGS
    with closing(Openings(path)) as openings:
        openings.add([row(leaf) for leaf in range(20)])
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"x" * (len(raw) - 4096)
    path.write_bytes(raw)

    with closing(Openings(path, read_only=True)) as openings, pytest.raises(LedgerDamaged, match="could not be read"):
        list(openings.rows(0, 20))


def test_a_process_that_opens_the_file_twice_keeps_its_log_whoever_lets_go_of_it_elsewhere(tmp_path: Path) -> None:
    held = open_ledger(tmp_path)
    held.append(entries(10))
    open_ledger(tmp_path, seed=2).close()

    # The last one to close takes the log away, and while we hold the file no other process is that.
    elsewhere = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM openings'); db.close()"
    )
    subprocess.run([sys.executable, "-c", elsewhere, str(tmp_path / OPENINGS)], check=True, timeout=60)
    held.append(entries(10, start=10))

    assert open_ledger(tmp_path, seed=3).size == 20
