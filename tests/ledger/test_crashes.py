"""Killed anywhere, nothing acknowledged is lost, and what was signed is continued.

A write goes to the openings first and to the leaves after. So a crash leaves the openings as before or after it, or
whole openings and any beginning of the leaves; each such state is made here by cutting files off.
"""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from consent.ledger import CHECKPOINT, LEAVES, OPENINGS
from consent.ledger_entry import LedgerDamaged
from consent.ledger_note import Checkpoint, read_checkpoint
from consent.ledger_openings import Place
from consent.ledger_verify import audit
from tests.ledger.ledgers import KEY, SEGMENT, entries, ledger_of, open_ledger, signed
from tests.servers import ROOT

BEFORE, AFTER = 2 * SEGMENT - 2, 2 * SEGMENT + 3
"""The last write fills a file and begins the next one."""


class Crash:
    """A ledger before and after its last write, from which the states between are made."""

    def __init__(self, folder: Path) -> None:
        self.before, self.after, self.now = folder / "before", folder / "after", folder / "now"
        ledger = open_ledger(folder / "ledger")
        ledger.append(entries(BEFORE), place=Place(epoch=1, partition=0, next=100))
        self.pinned = signed(ledger)
        shutil.copytree(folder / "ledger", self.before)
        ledger.append(entries(AFTER - BEFORE, start=BEFORE), place=Place(epoch=1, partition=0, next=200))
        self.root = ledger.root(AFTER)
        # With the connection open, so that the write is still in SQLite's log.
        shutil.copytree(folder / "ledger", self.after)
        ledger.close()

    def leaves_cut(self) -> Iterator[int]:
        """Whole openings, and the leaves as they are after so many bytes of the write."""
        states = [(path.name, self._size(self.before, path.name), path.stat().st_size) for path in self._leaves()]
        at = 0
        for number, (name, start, end) in enumerate(states):
            for size in range(start, end + 1):
                self._put_back(self.after)
                with (self.now / LEAVES / name).open("r+b") as file:
                    file.truncate(size)
                for later, _, _ in states[number + 1 :]:
                    (self.now / LEAVES / later).unlink()
                at += 1
                yield at

    def openings_cut(self, *, step: int) -> Iterator[int]:
        """The leaves as before the write, and SQLite's log after so many bytes of it."""
        wal = f"{OPENINGS}-wal"
        start, end = self._size(self.before, wal), self._size(self.after, wal)
        assert end > start
        for size in sorted({*range(start, end, step), start, end - 1, end}):
            self._put_back(self.before)
            shutil.copy(self.after / wal, self.now / wal)
            with (self.now / wal).open("r+b") as file:
                file.truncate(size)
            yield size

    def _put_back(self, state: Path) -> None:
        shutil.rmtree(self.now, ignore_errors=True)
        # The file of shared memory is made anew by whoever opens the database next.
        shutil.copytree(state, self.now, ignore=shutil.ignore_patterns("*-shm"))

    def _leaves(self) -> list[Path]:
        return sorted((self.after / LEAVES).iterdir())[BEFORE // SEGMENT :]

    @staticmethod
    def _size(folder: Path, name: str) -> int:
        for path in folder.rglob(name):
            return path.stat().st_size
        return 0


@pytest.fixture
def crash(tmp_path: Path) -> Crash:
    return Crash(tmp_path)


def recovered(crash: Crash) -> int:
    """Open what the crash left, and go on; how many entries were there."""
    ledger = open_ledger(crash.now, seed=99)
    size = ledger.size
    assert (size, ledger.next_offset(1, 0)) in [(BEFORE, 100), (AFTER, 200)]
    if size == AFTER:
        assert ledger.root(AFTER) == crash.root
    # Whoever was not acknowledged comes again.
    assert ledger.append(entries(AFTER - BEFORE, start=BEFORE)) == list(range(BEFORE, AFTER))
    signed(ledger)
    ledger.close()
    done = audit(crash.now, key=KEY, pinned=crash.pinned)
    assert (done.findings, done.leaves, done.opened) == ([], AFTER, AFTER)
    return size


def test_leaves_cut_off_anywhere_are_made_again(crash: Crash) -> None:
    tried = [recovered(crash) for at in crash.leaves_cut() if at % 9 == 1]

    assert set(tried) == {AFTER}
    assert len(tried) > 25


@pytest.mark.long
def test_leaves_cut_off_at_every_byte_are_made_again(crash: Crash) -> None:
    assert {recovered(crash) for _ in crash.leaves_cut()} == {AFTER}


def test_a_write_of_openings_that_is_cut_off_did_not_happen(crash: Crash) -> None:
    tried = [recovered(crash) for _ in crash.openings_cut(step=197)]

    assert tried == sorted(tried)
    assert set(tried) == {BEFORE, AFTER}


@pytest.mark.long
def test_a_write_of_openings_cut_off_at_any_byte_did_not_happen(crash: Crash) -> None:
    assert {recovered(crash) for _ in crash.openings_cut(step=17)} == {BEFORE, AFTER}


@pytest.mark.parametrize("length", [31, 32, 64])
@pytest.mark.parametrize("letter", [b"\0", b"x"])
def test_room_that_a_power_failure_left_unwritten_is_written(letter: bytes, length: int, crash: Crash) -> None:
    """The file has its new length, and what was to stand there never reached the disk."""
    crash._put_back(crash.after)
    path = crash.now / LEAVES / f"{SEGMENT:016d}.leaves"
    for later in sorted((crash.now / LEAVES).iterdir()):
        if later.name > path.name:
            later.unlink()
    written = (crash.before / LEAVES / path.name).read_bytes()
    path.write_bytes(written + letter * length)

    assert recovered(crash) == AFTER


def test_nothing_that_was_signed_is_mended(tmp_path: Path) -> None:
    """It would hide what somebody did."""
    pinned = ledger_of(tmp_path, BEFORE)
    path = tmp_path / LEAVES / f"{SEGMENT:016d}.leaves"
    raw = path.read_bytes()
    for damaged in (raw[:-1], raw[:-32], raw[:-32] + bytes(32), raw[:5], b""):
        path.write_bytes(damaged)
        with pytest.raises(LedgerDamaged):
            open_ledger(tmp_path)
        assert path.read_bytes() == damaged
    path.write_bytes(raw)
    assert open_ledger(tmp_path).root(pinned.size) == pinned.root


WRITER = """
import sys
from pathlib import Path
from tests.ledger.ledgers import SIGNER, entry, open_ledger

ledger = open_ledger(Path(sys.argv[1]), seed=int(sys.argv[2]))
for number in range(ledger.size, 1_000_000):
    ledger.append([entry(number)])
    print("entry", number, flush=True)
    if number % 5 == 0:
        ledger.checkpoint([SIGNER], now_ms=number)
        print("signed", number + 1, flush=True)
"""


@pytest.mark.long
def test_a_writer_killed_over_and_over_loses_nothing_and_never_forks(tmp_path: Path) -> None:
    folder, published = tmp_path / "ledger", list[Checkpoint]()
    for lives, lines_told in enumerate([1, 9, 17, 30]):
        words = [sys.executable, "-c", WRITER, str(folder), str(lives)]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            told = [writer.stdout.readline().split() for _ in range(lines_told)]
            writer.kill()
        acknowledged = max(int(number) for word, number in told if word == "entry")

        ledger = open_ledger(folder, seed=lives + 100)
        assert ledger.size > acknowledged
        assert [ledger.opening(f"entry:{number}").index for number in range(ledger.size)] == list(range(ledger.size))
        published += [read_checkpoint(note) for _, note, _ in ledger.checkpoints()]
        signed(ledger)
        ledger.close()
        assert all(audit(folder, key=KEY, pinned=each).holds for each in published)
    assert (folder / CHECKPOINT).exists()


def test_leaves_that_were_signed_stay_whatever_the_openings_say(tmp_path: Path) -> None:
    pinned = ledger_of(tmp_path, 3)
    [path] = (tmp_path / LEAVES).iterdir()
    raw = path.read_bytes()
    with closing(sqlite3.connect(tmp_path / OPENINGS)) as db, db:
        db.execute("UPDATE openings SET salt = zeroblob(32) WHERE leaf = 1")

    ledger = open_ledger(tmp_path)
    assert (path.read_bytes(), ledger.root(3)) == (raw, pinned.root)
    assert [each.kind for each in audit(tmp_path, key=KEY, pinned=pinned).findings] == ["opening"]
