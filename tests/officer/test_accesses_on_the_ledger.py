"""Looks at people are put down on the ledger, each once, and one that is altered afterwards stops it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from commands.keeper import Keeping
from commands.ledger import make_key
from commands.settings import Settings
from consent.accesses import Access, AccessLog
from consent.ledger import EntryDiffers, Ledger
from consent.ledger_accesses import access_id, put_down
from consent.ledger_note import make_signer
from consent.ledger_proof import fault_of
from tests.builders import NOW, pseudonym

SIGNER = make_signer("tests.example/ledger", b"s" * 32)


def access(number: int, identity: str | None = "app:42") -> Access:
    who = None if identity is None else pseudonym(identity)
    return Access(NOW + number, "0a1b2c3d", "agent", "card", who, "answer", "", broke_glass=False)


@pytest.fixture
def log(tmp_path: Path) -> AccessLog:
    log = AccessLog(tmp_path / "accesses.sqlite")
    for number in range(3):
        log.note(access(number, None if number == 2 else "app:42"))
    return log


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger")) as ledger:
        yield ledger


def altered(log: AccessLog, statement: str) -> None:
    with closing(sqlite3.connect(log.path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_every_access_is_put_down_once_and_can_be_proven(log: AccessLog, ledger: Ledger) -> None:
    assert put_down(log, ledger) == 3
    log.note(access(3))
    assert (put_down(log, ledger), put_down(log, ledger), ledger.size) == (1, 0, 4)

    ledger.checkpoint([SIGNER], now_ms=NOW)
    proof = ledger.prove(access_id(1))
    assert fault_of(proof, key=SIGNER.verifier, pinned=None) is None
    assert proof.entry["content"]["identity"] == pseudonym("app:42")


def test_killed_before_it_was_marked_it_puts_nothing_down_twice(log: AccessLog, ledger: Ledger) -> None:
    put_down(log, ledger)
    altered(log, "DELETE FROM put_down")

    assert put_down(log, ledger) == 3
    assert ledger.size == 3


def test_an_erasure_before_they_are_marked_does_not_stop_the_ones_after(log: AccessLog, ledger: Ledger) -> None:
    put_down(log, ledger)
    altered(log, "DELETE FROM put_down")
    log.forget([pseudonym("app:42")])
    log.note(access(3))

    assert put_down(log, ledger) == 4
    assert ledger.size == 4
    assert ledger.opening(access_id(1)).entry["content"]["identity"] == pseudonym("app:42")


def test_a_look_that_names_nobody_any_more_has_to_be_the_one_that_was_put_down(log: AccessLog, ledger: Ledger) -> None:
    put_down(log, ledger)
    altered(log, "DELETE FROM put_down")
    altered(log, "UPDATE access SET identity = NULL, reason = 'another' WHERE number = 1")

    with pytest.raises(EntryDiffers):
        put_down(log, ledger)


def test_a_list_that_was_begun_anew_does_not_pass_for_the_old_one(log: AccessLog, ledger: Ledger) -> None:
    put_down(log, ledger)
    log.path.unlink()
    log.note(access(7))

    with pytest.raises(EntryDiffers):
        put_down(log, ledger)


def test_looks_at_a_person_are_forgotten_with_the_person(log: AccessLog, ledger: Ledger) -> None:
    put_down(log, ledger)
    because = access_id(3)

    assert len(ledger.forget([pseudonym("app:42")], because=because)) == 2


def test_the_keeper_puts_them_down_and_signs_them(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    make_key(settings, SIGNER.name)
    assert Keeping(settings).round()
    AccessLog(settings.accesses).note(access(0))

    assert Keeping(settings).round()
    with closing(Ledger(settings.ledger)) as ledger:
        assert ledger.prove(access_id(1)).entry["content"]["what"] == "card"
