"""What the ledger can show ends with its term: facts with their keys, looks with their own term; the tree stays."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from commands.fact_keys import aged_out
from commands.keeper import Keeping
from commands.ledger import make_key, signers_of
from commands.settings import Settings, make_keyring, settings_of
from consent.accesses import Access, AccessLog
from consent.ledger import OPENINGS, Ledger
from consent.ledger_accesses import access_id, put_down
from consent.ledger_ageing import age_facts_out
from consent.ledger_entry import Entry, EntryUnknown, LedgerError
from consent.ledger_follower import LedgerFollower, fact_id
from consent.ledger_note import open_checkpoint
from consent.ledger_openings import Openings
from consent.ledger_verify import audit
from consent.retention import load_retention
from events.position import Position
from events.shape import parse_time
from tests.builders import DAY, NOW, admitted, consent, fact, linked, pseudonym
from tests.officer.evidence_world import placed, stretches

LATER: Final = NOW + 200 * DAY
FACTS: Final = [
    consent("given", "profile.build"),
    *linked("app:42", "card:7"),
    consent("withdrawn", "profile.build", at=LATER),
]
DUE: Final = parse_time("2029-04-01T00:00:00Z")
ME: Final = pseudonym("app:42")


def look(at: int) -> Access:
    return Access(at, "0a1b2c3d", "agent", "card", ME, "answer", "", broke_glass=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_of(data=tmp_path)
    make_keyring(settings)
    make_key(settings, "tests.example/ledger")
    accesses = AccessLog(settings.accesses)
    accesses.note(look(NOW))
    accesses.note(look(LATER))
    with closing(Ledger(settings.ledger)) as ledger:
        for stretch in stretches(FACTS):
            LedgerFollower(ledger).take(stretch)
        ledger.append([Entry(id="rules:1", kind="rules", content={"at": 0, "received_at": 0})])
        put_down(accesses, ledger)
    accesses.note(look(NOW))
    return settings


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    with closing(Ledger(settings.ledger)) as ledger:
        yield ledger


def shown(ledger: Ledger) -> list[str]:
    """The ids of all entries that can be shown still."""
    ids = [*(fact_id(position) for position, _ in placed(FACTS)), "rules:1", *map(access_id, (1, 2))]
    found = []
    for each in ids:
        try:
            found.append(str(ledger.opening(each).entry["id"]))
        except EntryUnknown:
            continue
    return found


def test_what_is_due_cannot_be_shown_any_more_and_the_rest_can(settings: Settings, ledger: Ledger) -> None:
    everything = shown(ledger)
    assert not any(aged_out(settings, now=DUE - 1).values())
    assert shown(ledger) == everything

    assert aged_out(settings, now=DUE) == {"keys": 0, "evidence": 0, "looks": 1, "openings": 4}

    [fresh] = [fact_id(position) for position, each in placed(FACTS) if each.occurred_at == LATER]
    assert shown(ledger) == [fresh, "rules:1", access_id(2)]
    assert {each.entry["id"] for each in ledger.about([ME])} == {fresh, access_id(2)}
    assert not any(aged_out(settings, now=DUE).values())


def test_a_look_that_is_not_on_the_ledger_yet_is_not_deleted(settings: Settings, ledger: Ledger) -> None:
    accesses = AccessLog(settings.accesses)
    aged_out(settings, now=DUE)
    assert len(accesses.of([ME], limit=9)) == 2

    put_down(accesses, ledger)
    assert aged_out(settings, now=DUE)["looks"] == 1
    assert [each.at for each in accesses.of([ME], limit=9)] == [LATER]


def test_the_ledger_verifies_before_and_after_and_says_for_whose_sake(settings: Settings) -> None:
    assert Keeping(settings, clock=lambda: LATER).round()
    with closing(Ledger(settings.ledger)) as ledger:
        earlier = ledger.latest() or ""
    assert Keeping(settings, clock=lambda: DUE).round()
    assert Keeping(settings, clock=lambda: DUE + DAY).round()

    verifier = signers_of(settings)[0].verifier
    done = audit(settings.ledger, key=verifier, pinned=open_checkpoint(earlier, verifier))
    assert (done.findings, done.destroyed) == ([], 5)


def test_what_was_overwritten_is_in_no_file(settings: Settings, ledger: Ledger) -> None:
    """Not in SQLite's log either, while another process has the ledger open."""
    old = FACTS[0].event_key.hex().encode()
    assert old in ledger.opening(fact_id(placed(FACTS)[0][0])).payload
    aged_out(settings, now=DUE)

    assert [path for path in settings.ledger.rglob("*") if path.is_file() and old in path.read_bytes()] == []


def test_what_somebody_is_reading_is_wiped_when_it_is_tried_again(settings: Settings, ledger: Ledger) -> None:
    path, old = settings.ledger / OPENINGS, FACTS[0].event_key.hex().encode()
    ledger._openings.close()
    ledger._openings = Openings(path, busy_s=0.05)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM openings").fetchall()
        with pytest.raises(LedgerError, match="being read"):
            age_facts_out(ledger, load_retention(), now=DUE)
        reader.execute("COMMIT")

    assert age_facts_out(ledger, load_retention(), now=DUE) == 0
    assert [path for path in settings.ledger.rglob("*") if path.is_file() and old in path.read_bytes()] == []


def test_in_clear_nothing_ends_but_looks(settings: Settings, ledger: Ledger) -> None:
    before = shown(ledger)
    gone = aged_out(settings.model_copy(update={"sealing": False}), now=DUE)

    assert (gone["looks"], gone["openings"]) == (1, 1)
    assert shown(ledger) == [each for each in before if each != access_id(1)]


def test_an_erasure_is_told_for_ever(settings: Settings, ledger: Ledger) -> None:
    told = fact("rights.erased", request_id="r-1", identities=[ME])
    place = Position(2, admitted(told).partition, 0)
    ledger.append([Entry(id=fact_id(place), kind=told.type, content={"received_at": NOW})])
    aged_out(settings, now=DUE + 4000 * DAY)

    assert ledger.opening(fact_id(place)).entry["kind"] == "rights.erased"
