"""What is put down stays, is proven, and can be forgotten without a trace in the tree."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consent.ledger import CHECKPOINT, EntryDiffers
from consent.ledger_entry import EntryUnknown, LedgerDamaged, LedgerError
from consent.ledger_note import make_signer, open_checkpoint, read_checkpoint
from consent.ledger_proof import fault_of, read_proof
from consent.ledger_tree import is_consistent
from consent.ledger_verify import audit
from tests.builders import NOW
from tests.ledger.ledgers import KEY, SEGMENT, SIGNER, THIEF, entries, entry, ledger_of, open_ledger, signed

ADA, BOB = "app:" + "a" * 26, "app:" + "b" * 26


def test_every_entry_is_proven_to_who_has_key_and_an_earlier_checkpoint(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    pinned = []
    for number in range(3 * SEGMENT + 3):
        assert ledger.append([entry(number)]) == [number]
        pinned.append(signed(ledger))
    for number in range(3 * SEGMENT + 3):
        for earlier in pinned:
            proof = ledger.prove(f"entry:{number}", since=earlier.size)
            handed_over = read_proof(json.dumps(proof.written()).encode())
            assert handed_over == proof
            assert fault_of(handed_over, key=KEY, pinned=earlier) is None


def test_opened_again_it_is_the_same_ledger(tmp_path: Path) -> None:
    before = ledger_of(tmp_path, 2 * SEGMENT)
    again = open_ledger(tmp_path, seed=2)

    assert again.size == 2 * SEGMENT
    assert again.root(again.size) == before.root
    assert again.append(entries(3, start=2 * SEGMENT)) == [16, 17, 18]
    after = signed(again)
    assert is_consistent(
        old=before.size,
        old_root=before.root,
        new=after.size,
        new_root=after.root,
        proof=again.consistency(before.size, after.size),
    )


def test_how_entries_are_batched_makes_no_difference(tmp_path: Path) -> None:
    one, many = open_ledger(tmp_path / "one"), open_ledger(tmp_path / "many")
    one.append(entries(29))
    for start, count in [(0, 1), (1, 7), (8, 16), (24, 5)]:
        many.append(entries(count, start=start))

    assert one.root(29) == many.root(29)
    assert [path.read_bytes() for path in sorted((tmp_path / "one" / "leaves").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "many" / "leaves").iterdir())
    ]


def test_the_same_entry_again_is_the_same_entry(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)

    assert ledger.append([entry(1), entry(2), entry(1)]) == [0, 1, 0]
    assert ledger.append([entry(2), entry(3)]) == [1, 2]
    assert ledger.size == 3


def test_another_entry_under_the_same_id_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.append([entry(1)])

    with pytest.raises(EntryDiffers, match="entry:1"):
        ledger.append([entry(2), entry(1, said="no")])
    with pytest.raises(EntryDiffers, match="entry:3"):
        ledger.append([entry(3), entry(3, said="no")])
    assert ledger.size == 1


def test_nothing_in_leaves_or_checkpoint_tells_one_entry_from_another(tmp_path: Path) -> None:
    same = open_ledger(tmp_path)
    same.append([entry(1, subjects=[ADA]), entry(2, subjects=[ADA])])
    signed(same)
    outside = b"".join(path.read_bytes() for path in [*(tmp_path / "leaves").iterdir(), tmp_path / CHECKPOINT])

    assert ADA.encode() not in outside
    assert b"entry:" not in outside
    first, second = same.opening("entry:1"), same.opening("entry:2")
    assert first.salt != second.salt
    assert first.commitment.hex() != second.commitment.hex()


def test_two_at_once_write_one_tree(tmp_path: Path) -> None:
    first, second = open_ledger(tmp_path, seed=1), open_ledger(tmp_path, seed=2)
    for number in range(0, 40, 2):
        assert first.append([entry(number)]) == [number]
        assert second.append([entry(number + 1)]) == [number + 1]
    pinned = signed(first)

    assert read_checkpoint(second.checkpoint([SIGNER], now_ms=NOW)) == pinned
    assert fault_of(second.prove("entry:7", since=20), key=KEY, pinned=None) is None
    done = audit(tmp_path, key=KEY, pinned=pinned)
    assert (done.findings, done.leaves, done.opened) == ([], 40, 40)


def test_what_is_forgotten_is_in_no_file_and_the_tree_still_holds(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    for number in range(200):
        ledger.append(
            [entry(number, said=f"{number} of {ADA if number % 3 else BOB}", subjects=[ADA if number % 3 else BOB])]
        )
    salts = {number: ledger.opening(f"entry:{number}").salt for number in range(200)}
    pinned = signed(ledger)
    ledger.append([entry(200, said="erasure request 7")])

    gone = ledger.forget([ADA], because="entry:200")

    assert gone == [number for number in range(200) if number % 3]
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert ADA.encode() not in held
    assert BOB.encode() in held
    assert not any(salts[number] in held for number in gone)
    assert all(salts[number] in held for number in range(0, 200, 3))
    with pytest.raises(EntryUnknown, match="destroyed"):
        ledger.prove("entry:1")
    assert ledger.append([entry(1)]) == [1]
    signed(ledger)
    assert fault_of(ledger.prove("entry:3", since=pinned.size), key=KEY, pinned=pinned) is None
    done = audit(tmp_path, key=KEY, pinned=pinned)
    assert (done.findings, done.opened, done.destroyed) == ([], 201 - len(gone), len(gone))


def test_the_reason_for_forgetting_may_not_be_about_who_is_forgotten(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.append([entry(1, subjects=[ADA]), entry(2, subjects=[ADA, BOB])])

    with pytest.raises(LedgerError, match="must not be about"):
        ledger.forget([ADA], because="entry:2")
    with pytest.raises(EntryUnknown):
        ledger.forget([ADA], because="entry:9")
    assert ledger.opening("entry:1").entry["id"] == "entry:1"


def test_a_checkpoint_is_signed_anew_only_when_there_is_something_new(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    first = ledger.checkpoint([SIGNER], now_ms=NOW)
    ledger.append(entries(1))
    second = ledger.checkpoint([SIGNER], now_ms=NOW + 1)

    assert ledger.checkpoint([SIGNER], now_ms=NOW + 2) == second != first
    assert ledger.checkpoints() == [(1, second, NOW + 1), (0, first, NOW)]
    assert (tmp_path / CHECKPOINT).read_text() == second == ledger.latest()


def test_a_new_key_signs_beside_the_old_one(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.append(entries(5))
    ledger.checkpoint([SIGNER], now_ms=NOW)
    both = ledger.checkpoint([SIGNER, THIEF], now_ms=NOW)

    assert open_checkpoint(both, KEY) == open_checkpoint(both, THIEF.verifier)
    assert (tmp_path / CHECKPOINT).read_text() == both


def test_a_lost_checkpoint_file_is_written_again(tmp_path: Path) -> None:
    ledger_of(tmp_path, 5)
    (tmp_path / CHECKPOINT).unlink()
    ledger = open_ledger(tmp_path)

    assert ledger.checkpoint([SIGNER], now_ms=NOW) == (tmp_path / CHECKPOINT).read_text()


def test_what_is_not_signed_yet_is_not_proven(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.append(entries(2))
    with pytest.raises(LedgerError, match="sign one first"):
        ledger.prove("entry:0")
    signed(ledger)
    ledger.append(entries(1, start=2))
    with pytest.raises(LedgerError, match="sign one first"):
        ledger.prove("entry:2")
    with pytest.raises(LedgerError, match="fewer than 3"):
        ledger.prove("entry:0", since=3)
    with pytest.raises(EntryUnknown, match="entry:9"):
        ledger.prove("entry:9")


def test_the_name_it_is_signed_under_stays(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    signed(ledger)
    ledger.append(entries(1))
    with pytest.raises(LedgerError, match=r"signed as example\.com/ledger"):
        ledger.checkpoint([make_signer("example.com/other", bytes(32))], now_ms=NOW)


def test_a_tree_that_was_changed_is_neither_opened_nor_signed(tmp_path: Path) -> None:
    ledger_of(tmp_path, 2 * SEGMENT + 2)
    held = open_ledger(tmp_path)
    path = tmp_path / "leaves" / f"{2 * SEGMENT:016d}.leaves"
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))

    with pytest.raises(LedgerDamaged, match="not those that were signed"):
        open_ledger(tmp_path)
    path.write_bytes(raw[:-32])
    with pytest.raises(LedgerDamaged, match="18 entries were signed, and 17 leaves are left"):
        open_ledger(tmp_path)
    path.write_bytes(raw)
    assert held.append(entries(1, start=99)) == [2 * SEGMENT + 2]


def test_openings_that_went_back_in_time_stop_the_ledger(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.append(entries(3))
    ledger.close()
    copy = (tmp_path / "openings.db").read_bytes()
    ledger = open_ledger(tmp_path)
    ledger.append(entries(3, start=3))
    ledger.close()
    (tmp_path / "openings.db").write_bytes(copy)

    with pytest.raises(LedgerDamaged, match="6 leaves have only 3 openings"):
        open_ledger(tmp_path)


def test_many_that_write_at_the_same_time_write_one_tree(tmp_path: Path) -> None:
    ledgers = [open_ledger(tmp_path, seed=seed) for seed in range(4)]

    def write(which: int) -> list[int]:
        return [ledgers[which].append([entry(number)])[0] for number in range(which, 48, 4)]

    with ThreadPoolExecutor(4) as writers:
        leaves = [leaf for written in writers.map(write, range(4)) for leaf in written]

    assert sorted(leaves) == list(range(48))
    pinned = signed(ledgers[0])
    done = audit(tmp_path, key=KEY, pinned=pinned)
    assert (done.findings, done.leaves, done.opened) == ([], 48, 48)
