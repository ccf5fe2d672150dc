"""The audit says what it found, where; and takes for damage only what an honest ledger does not show."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from consent.ledger import CHECKPOINT, LEAVES, OPENINGS
from consent.ledger_note import Checkpoint
from consent.ledger_proof import ProofUnreadable, fault_of, read_proof
from consent.ledger_verify import FINDINGS_MAX, audit
from tests.ledger.ledgers import KEY, SEGMENT, THIEF, entries, entry, ledger_of, open_ledger, signed

COUNT = 3 * SEGMENT + 3


@pytest.fixture
def pinned(tmp_path: Path) -> Checkpoint:
    return ledger_of(tmp_path, COUNT)


@contextmanager
def openings(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / OPENINGS)) as db, db:
        yield db


def file(folder: Path, number: int) -> Path:
    return folder / LEAVES / f"{number * SEGMENT:016d}.leaves"


def found(folder: Path, pinned: Checkpoint | None) -> set[str]:
    return {each.kind for each in audit(folder, key=KEY, pinned=pinned).findings}


def test_an_honest_ledger_holds(tmp_path: Path, pinned: Checkpoint) -> None:
    done = audit(tmp_path, key=KEY, pinned=pinned)

    assert done.holds
    assert (done.leaves, done.signed, done.pinned, done.opened, done.destroyed) == (COUNT, COUNT, COUNT, COUNT, 0)


def test_what_is_not_signed_yet_is_no_finding(tmp_path: Path, pinned: Checkpoint) -> None:
    open_ledger(tmp_path).append(entries(9, start=COUNT))

    done = audit(tmp_path, key=KEY, pinned=pinned)
    assert (done.findings, done.leaves, done.signed) == ([], COUNT + 9, COUNT)


@pytest.mark.parametrize("left", [b"", b'{"first":24', b"half a leaf"])
def test_what_a_crash_leaves_at_the_very_end_is_no_finding(left: bytes, tmp_path: Path) -> None:
    pinned = ledger_of(tmp_path, 3 * SEGMENT)
    if left.startswith(b"half"):
        pinned = ledger_of(tmp_path, 3 * SEGMENT + 1)
        with file(tmp_path, 3).open("ab") as last:
            last.write(left)
    else:
        file(tmp_path, 3).write_bytes(left)

    assert audit(tmp_path, key=KEY, pinned=pinned).holds


def test_a_copy_without_openings_is_enough_for_anybody(tmp_path: Path) -> None:
    pinned = ledger_of(tmp_path / "ledger", COUNT)
    shutil.copytree(tmp_path / "ledger" / LEAVES, tmp_path / "copy" / LEAVES)
    shutil.copy(tmp_path / "ledger" / CHECKPOINT, tmp_path / "copy")

    done = audit(tmp_path / "copy", key=KEY, pinned=pinned)
    assert (done.findings, done.leaves, done.opened) == ([], COUNT, 0)


@pytest.mark.parametrize("number", range(4))
def test_a_file_that_is_gone_is_missed(number: int, tmp_path: Path, pinned: Checkpoint) -> None:
    file(tmp_path, number).unlink()

    assert "truncated" in found(tmp_path, pinned)


@pytest.mark.parametrize("number", range(3))
def test_a_full_file_that_was_changed_is_named_by_its_successor(
    number: int, tmp_path: Path, pinned: Checkpoint
) -> None:
    """Even by who has no checkpoint at all."""
    raw = file(tmp_path, number).read_bytes()
    file(tmp_path, number).write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    done = audit(tmp_path, key=KEY, pinned=None)

    assert ("files", f"{file(tmp_path, number + 1).name} does not continue the file before it") in [
        (each.kind, each.detail) for each in done.findings
    ]


@pytest.mark.parametrize("junk", [b"x", b"x" * 31, b"x" * 32])
def test_what_was_put_behind_the_leaves_of_a_full_file_is_a_finding(
    junk: bytes, tmp_path: Path, pinned: Checkpoint
) -> None:
    """Though the tree is the same: a sealed file is what its successor says, to the byte."""
    with file(tmp_path, 1).open("ab") as sealed:
        sealed.write(junk)

    assert "files" in found(tmp_path, pinned)


@pytest.mark.parametrize("raw", [b"", b"x" * 600, b"{}\n", b"[]\n", b'{"first":0}\n'])
def test_a_file_of_something_else_is_a_finding(raw: bytes, tmp_path: Path, pinned: Checkpoint) -> None:
    file(tmp_path, 1).write_bytes(raw)

    assert "files" in found(tmp_path, pinned)


def test_a_full_file_that_lost_leaves_is_a_finding(tmp_path: Path, pinned: Checkpoint) -> None:
    raw = file(tmp_path, 1).read_bytes()
    file(tmp_path, 1).write_bytes(raw[:-32])

    assert {"files", "truncated"} <= found(tmp_path, pinned)


def test_a_checkpoint_of_another_key_or_none_is_a_finding(tmp_path: Path, pinned: Checkpoint) -> None:
    assert {each.kind for each in audit(tmp_path, key=THIEF.verifier, pinned=None).findings} == {"signature"}
    (tmp_path / CHECKPOINT).write_bytes(b"\xff")
    assert found(tmp_path, pinned) == {"signature"}
    (tmp_path / CHECKPOINT).unlink()
    assert found(tmp_path, pinned) == {"unsigned"}


def test_a_checkpoint_that_was_put_back_is_a_finding(tmp_path: Path) -> None:
    ledger_of(tmp_path, 5)
    old = (tmp_path / CHECKPOINT).read_text()
    ledger = open_ledger(tmp_path)
    ledger.append(entries(3, start=5))
    pinned = signed(ledger)
    ledger.close()
    (tmp_path / CHECKPOINT).write_text(old)

    done = audit(tmp_path, key=KEY, pinned=pinned)
    assert [each.detail for each in done.findings] == ["5 entries are signed, 8 were signed earlier"]


def test_a_checkpoint_of_another_ledger_is_a_finding(tmp_path: Path, pinned: Checkpoint) -> None:
    other = Checkpoint(origin="example.com/other", size=pinned.size, root=pinned.root)

    assert found(tmp_path, other) == {"origin"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE openings SET payload = cast('{\"content\":{}}' AS BLOB) WHERE leaf = 4",
        "UPDATE openings SET salt = zeroblob(32) WHERE leaf = 4",
        "UPDATE openings SET salt = NULL WHERE leaf = 4",
        "UPDATE openings SET salt = NULL, payload = NULL WHERE leaf = 4",
        "UPDATE openings SET destroyed_by = 1 WHERE leaf = 4; UPDATE openings SET payload = x'00' WHERE leaf = 4",
        "DELETE FROM openings WHERE leaf = 4",
        "UPDATE openings SET salt = 'text' WHERE leaf = 4",
    ],
)
def test_an_opening_that_was_changed_is_a_finding(change: str, tmp_path: Path, pinned: Checkpoint) -> None:
    with openings(tmp_path) as db:
        db.executescript(change)
    done = audit(tmp_path, key=KEY, pinned=pinned)

    assert [each.kind for each in done.findings] == ["opening"]
    assert "leaf 4" in done.findings[0].detail
    assert done.opened == COUNT - 1


@pytest.mark.parametrize("reason", [4, COUNT, -1, "because", None])
def test_an_opening_that_was_destroyed_for_no_entry_is_a_finding(
    reason: object, tmp_path: Path, pinned: Checkpoint
) -> None:
    with openings(tmp_path) as db:
        db.execute("UPDATE openings SET salt = NULL, payload = NULL, destroyed_by = ? WHERE leaf = 4", (reason,))

    assert found(tmp_path, pinned) == {"opening"}


def test_openings_that_swapped_places_are_a_finding(tmp_path: Path, pinned: Checkpoint) -> None:
    with openings(tmp_path) as db:
        for before, after in [(3, -1), (4, 3), (-1, 4)]:
            db.execute("UPDATE openings SET leaf = ? WHERE leaf = ?", (after, before))

    assert [each.kind for each in audit(tmp_path, key=KEY, pinned=pinned).findings] == ["opening", "opening"]


def test_openings_that_are_no_database_are_a_finding(tmp_path: Path, pinned: Checkpoint) -> None:
    (tmp_path / OPENINGS).write_bytes(b"x" * 5000)

    assert found(tmp_path, pinned) == {"opening"}


def test_the_list_of_findings_ends(tmp_path: Path, pinned: Checkpoint) -> None:
    with openings(tmp_path) as db:
        db.execute("UPDATE openings SET salt = zeroblob(32)")

    assert len(audit(tmp_path, key=KEY, pinned=pinned).findings) == FINDINGS_MAX


def test_a_folder_of_nothing_is_a_finding(tmp_path: Path) -> None:
    assert found(tmp_path, None) == {"unsigned"}


def test_a_proof_shows_only_its_own_entry_under_its_own_key(tmp_path: Path, pinned: Checkpoint) -> None:
    ledger = open_ledger(tmp_path)
    proof = ledger.prove("entry:4")
    said = proof.written()

    def fault(**changes: object) -> str | None:
        return fault_of(read_proof(_json({**said, **changes})), key=KEY, pinned=pinned)

    assert fault() is None
    assert "not the one at leaf 4" in str(fault(entry={**proof.entry, "content": {"said": "no"}}))
    assert "not the one at leaf 4" in str(fault(salt="00" * 32))
    assert "not the one at leaf 5" in str(fault(index=5))
    assert "not the one at leaf 4" in str(fault(inclusion=said["inclusion"][1:]))
    assert "no canonical form" in str(fault(entry={"a": 1.5}))
    assert "not signed with the key" in str(fault_of(proof, key=THIEF.verifier, pinned=None))


def test_a_proof_from_a_fork_does_not_continue_the_earlier_checkpoint(tmp_path: Path) -> None:
    pinned = ledger_of(tmp_path / "ledger", 10)
    fork = open_ledger(tmp_path / "fork")
    fork.append([*entries(9), entry(99), *entries(4, start=20)])
    signed(fork)

    assert fault_of(fork.prove("entry:4"), key=KEY, pinned=None) is None
    assert "does not say that it continues" in str(fault_of(fork.prove("entry:4"), key=KEY, pinned=pinned))
    assert "forked" in str(fault_of(fork.prove("entry:4", since=10), key=KEY, pinned=pinned))
    older = open_ledger(tmp_path / "older")
    older.append(entries(5))
    signed(older)
    assert "older than the earlier checkpoint" in str(fault_of(older.prove("entry:4"), key=KEY, pinned=pinned))
    other = Checkpoint(origin="example.com/other", size=10, root=pinned.root)
    assert "another ledger" in str(fault_of(fork.prove("entry:4", since=10), key=KEY, pinned=other))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"format":"other"}', b"\xff", b"[" * 100_000])
def test_what_is_no_proof_is_refused_with_a_word(raw: bytes) -> None:
    with pytest.raises(ProofUnreadable):
        read_proof(raw)


def test_a_proof_with_parts_of_other_kinds_is_refused_with_a_word(tmp_path: Path, pinned: Checkpoint) -> None:
    said = open_ledger(tmp_path).prove("entry:4").written()
    for name, value in [("index", -1), ("index", True), ("since", "x"), ("salt", 1), ("inclusion", [1]), ("entry", 3)]:
        with pytest.raises(ProofUnreadable):
            read_proof(_json({**said, name: value}))


def _json(said: object) -> bytes:
    return json.dumps(said).encode()
