"""An erasure while others look: nobody is erased as long as a file still holds them, and who looks leaves no trace."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from consent.accesses import Access
from consent.evidence import EvidenceUnavailable
from consent.ledger_accesses import put_down
from consent.sqlite_files import LogStillRead, empty_log
from tests.builders import pseudonym
from tests.rights.erasing import LOOKED, ME, Installation


def test_a_log_that_is_being_read_is_not_taken_for_emptied(tmp_path: Path) -> None:
    path = tmp_path / "file.sqlite"

    def connected() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=0, isolation_level=None)

    with closing(connected()) as writer, closing(connected()) as reader:
        writer.execute("PRAGMA journal_mode = WAL").fetchall()
        writer.execute("CREATE TABLE said (words TEXT)")
        writer.execute("INSERT INTO said VALUES ('canary')")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM said").fetchall()
        writer.execute("DELETE FROM said")

        with pytest.raises(LogStillRead):
            empty_log(writer)

        reader.execute("COMMIT")
        empty_log(writer)
        assert (tmp_path / "file.sqlite-wal").stat().st_size == 0


@pytest.mark.thorough
async def test_no_evidence_counts_as_gone_while_somebody_reads_what_it_was(home: Installation) -> None:
    home.ask(ME)
    await home.carry_out()
    await home.world.fold()
    home.archive()
    home.follow()
    with home.evidence.reading() as evidence:
        assert evidence.of([pseudonym(ME)])
        with pytest.raises(EvidenceUnavailable, match="LogStillRead"):
            await home.carry_out()
    assert "evidence" not in home.requests.pending()[0].done

    await home.until_done()
    assert {name.partition("/")[0] for name in home.naming(ME)} == {"history"}


async def test_who_looks_while_the_person_is_being_erased_leaves_nobody_behind(home: Installation) -> None:
    home.ask(ME)
    failing = replace(home.places(), retrain=lambda: "the training failed")
    await home.go_on(failing, rounds=3)
    assert {"accesses", "ledger"} <= home.requests.pending()[0].done.keys()
    home.accesses.note(Access(*LOOKED)._replace(key="officer", role="privacy"))
    put_down(home.accesses, home.ledger)

    await home.until_done()
    home.restart()

    assert home.accesses.of([pseudonym(ME)], limit=9) == []
    assert {name.partition("/")[0] for name in home.naming(ME)} == {"history"}
    assert {each.key for each in home.accesses.since(0, broke_glass=False, limit=9)} >= {"officer"}
