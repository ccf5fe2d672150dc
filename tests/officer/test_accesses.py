"""Who looked at whom: declared beforehand, noted durably, listed; and no look without a note."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consent.accesses import (
    DECLARABLE,
    REASON_MAX,
    REASON_MIN,
    UNDECLARED,
    Access,
    AccessesUnavailable,
    AccessLog,
    NotDeclared,
    declared,
)
from tests.builders import DAY, NOW, pseudonym

ADA, BEN = pseudonym("app:ada"), pseudonym("app:ben")
WHY = "a complaint to the authority, file 7"


def access(at: int = NOW, identity: str | None = ADA, *, broke_glass: bool = False, key: str = "0a1b2c3d") -> Access:
    return Access(at, key, "privacy", "history", identity, "audit", WHY if broke_glass else "", broke_glass)


@pytest.fixture
def log(tmp_path: Path) -> AccessLog:
    return AccessLog(tmp_path / "folder" / "accesses.sqlite")


@pytest.mark.parametrize("role", sorted(DECLARABLE))
def test_what_a_role_is_for_needs_no_reason(role: str) -> None:
    for purpose in DECLARABLE[role]:
        found = declared(role, purpose=purpose, reason=None)
        assert (found.purpose, found.broke_glass) == (purpose, False)


@pytest.mark.parametrize("reason", [None, "", "   ", "x" * (REASON_MIN - 1), " " * 50])
def test_what_a_role_is_not_for_is_refused_without_a_reason(reason: str | None) -> None:
    for role, purpose in (("agent", "audit"), ("privacy", "answer"), ("admin", "audit")):
        with pytest.raises(NotDeclared, match="say why"):
            declared(role, purpose=purpose, reason=reason)


@pytest.mark.parametrize("length", [REASON_MIN, REASON_MAX])
def test_a_reason_is_as_short_or_as_long_as_is_said(length: int) -> None:
    assert declared("agent", purpose="incident", reason="x" * length).broke_glass


def test_whoever_declares_nothing_breaks_no_glass() -> None:
    assert declared("privacy", purpose=None, reason=None) == (UNDECLARED, "", False)


def test_with_a_reason_the_glass_is_broken_and_that_is_noted() -> None:
    found = declared("agent", purpose="incident", reason=f"  {WHY} ")

    assert found == ("incident", WHY, True)


def test_a_purpose_that_nobody_has_is_refused_whatever_the_reason() -> None:
    with pytest.raises(NotDeclared, match="no such purpose"):
        declared("privacy", purpose="curiosity", reason=WHY)
    with pytest.raises(NotDeclared, match="at most"):
        declared("privacy", purpose="audit", reason="x" * (REASON_MAX + 1))


def test_who_declares_nothing_is_noted_as_such() -> None:
    assert declared("agent", purpose=None, reason=None).purpose == "undeclared"


def test_accesses_are_told_by_person_the_latest_first(log: AccessLog) -> None:
    for at, who in ((NOW, ADA), (NOW + 2, BEN), (NOW + 1, ADA), (NOW + 3, None)):
        log.note(access(at, who))

    assert [each.at for each in log.of([ADA], limit=10)] == [NOW + 1, NOW]
    assert [each.identity for each in log.of([ADA, BEN], limit=2)] == [BEN, ADA]
    assert log.of([], limit=10) == []


def test_what_was_noted_comes_back_as_it_was(log: AccessLog) -> None:
    log.note(access(broke_glass=True))

    assert log.of([ADA], limit=10) == [access(broke_glass=True)]


def test_broken_glass_is_listed_apart(log: AccessLog) -> None:
    log.note(access(NOW))
    log.note(access(NOW + 1, broke_glass=True))
    log.note(access(NOW - DAY, broke_glass=True))

    assert [each.at for each in log.since(NOW, broke_glass=True, limit=10)] == [NOW + 1]
    assert [each.at for each in log.since(NOW, broke_glass=False, limit=10)] == [NOW + 1, NOW]


def test_another_process_sees_what_was_noted(log: AccessLog) -> None:
    log.note(access())

    assert AccessLog(log.path).of([ADA], limit=1) == [access()]
    with closing(sqlite3.connect(log.path)) as connection:
        [mode] = connection.execute("PRAGMA journal_mode").fetchone()
    assert mode == "wal"


def test_what_cannot_be_noted_is_said(log: AccessLog) -> None:
    log.path.mkdir(parents=True)

    with pytest.raises(AccessesUnavailable):
        log.note(access())
    with pytest.raises(AccessesUnavailable):
        log.of([ADA], limit=1)
