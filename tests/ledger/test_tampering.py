"""An attacker who holds disk and signing key rewrites the ledger, and signs it: one checkpoint kept outside tells.

Every kind of tampering is tried at random. Whatever he changes, he makes headers, roots and checkpoint fit again.
"""

import random
import shutil
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from consent.ledger import CHECKPOINT, LEAVES
from consent.ledger_entry import Entry, commitment_of, hash_of
from consent.ledger_note import Checkpoint, Signer, sign_note
from consent.ledger_segments import Header, read_file, segment_path
from consent.ledger_tree import root_of
from consent.ledger_verify import Audit, audit
from tests.ledger.ledgers import KEY, SEGMENT, SIGNER, THIEF, entries, entry, ledger_of

SIZE_MAX: Final = 5 * SEGMENT


class Attack(NamedTuple):
    """What the attacker makes of the first so many entries, which were published, and with which key he signs."""

    rewrite: Callable[[list[Entry], random.Random], list[Entry]]
    signer: Signer = SIGNER


def edited(told: list[Entry], rng: random.Random) -> list[Entry]:
    at = rng.randrange(len(told))
    return [*told[:at], entry(at, said="no"), *told[at + 1 :]]


def deleted(told: list[Entry], rng: random.Random) -> list[Entry]:
    at = rng.randrange(len(told))
    return told[:at] + told[at + 1 :]


def reordered(told: list[Entry], rng: random.Random) -> list[Entry]:
    one, other = sorted(rng.sample(range(len(told)), 2))
    swapped = list(told)
    swapped[one], swapped[other] = told[other], told[one]
    return swapped


def inserted(told: list[Entry], rng: random.Random) -> list[Entry]:
    at = rng.randrange(len(told))
    return [*told[:at], entry(1_000 + at), *told[at:]]


def truncated(told: list[Entry], rng: random.Random) -> list[Entry]:
    return told[: rng.randrange(len(told))]


def forked(told: list[Entry], rng: random.Random) -> list[Entry]:
    """Another history from somewhere on, which may be longer than the one that was published."""
    at = rng.randrange(len(told))
    return told[:at] + entries(rng.randrange(1, SIZE_MAX), start=2_000)


def kept(told: list[Entry], _: random.Random) -> list[Entry]:
    return told


ATTACKS: Final = {
    "edit": Attack(edited),
    "delete": Attack(deleted),
    "reorder": Attack(reordered),
    "insert": Attack(inserted),
    "truncate": Attack(truncated),
    "fork": Attack(forked),
    "key swap": Attack(kept, THIEF),
}


class Stage:
    """A folder in which ledgers are written as an attacker writes them: files that fit each other, by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def written(self, told: Sequence[Entry], *, seed: int, signer: Signer = SIGNER) -> Checkpoint:
        """A ledger anew; an entry keeps its salt wherever it stands."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / LEAVES).mkdir(parents=True)
        commitments = [
            commitment_of(salt=sha256(f"{seed} {each.id}".encode()).digest(), payload=each.payload()) for each in told
        ]
        header = Header(first=0, leaves=SEGMENT)
        for first in range(0, len(commitments), SEGMENT):
            part = commitments[first : first + SEGMENT]
            path = segment_path(self.folder / LEAVES, first)
            path.write_bytes(header.line() + b"".join(part))
            file = read_file(path)
            assert file
            header = file.follower(root_of([hash_of(each) for each in part]))
        checkpoint = Checkpoint(origin=KEY.name, size=len(told), root=root_of([hash_of(each) for each in commitments]))
        (self.folder / CHECKPOINT).write_text(sign_note(checkpoint.text(), [signer]))
        return checkpoint

    def audited(self, pinned: Checkpoint) -> Audit:
        return audit(self.folder, key=KEY, pinned=pinned)


def trials(stage: Stage, attack: Attack, *, count: int) -> list[int]:
    """The seeds of the attacks that were not noticed."""
    unnoticed = []
    for seed in range(count):
        rng = random.Random(seed)
        told = entries(rng.randrange(2, SIZE_MAX))
        pinned = stage.written(told, seed=seed)
        rewritten = attack.rewrite(told, rng)
        # He lets it grow as if nothing had been, so that its size gives nothing away.
        rewritten += entries(rng.randrange(SEGMENT), start=5_000)
        stage.written(rewritten, seed=seed, signer=attack.signer)
        if stage.audited(pinned).holds:
            unnoticed.append(seed)
    return unnoticed


def clean_runs(stage: Stage, *, count: int) -> list[int]:
    """The seeds of honest growth that were taken for tampering."""
    alarms = []
    for seed in range(count):
        rng = random.Random(seed)
        told = entries(rng.randrange(SIZE_MAX))
        pinned = stage.written(told, seed=seed)
        stage.written(told + entries(rng.randrange(SIZE_MAX), start=5_000), seed=seed)
        if not stage.audited(pinned).holds:
            alarms.append(seed)
    return alarms


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "ledger")


@pytest.mark.parametrize("kind", ATTACKS)
def test_what_was_rewritten_and_signed_again_is_noticed(kind: str, stage: Stage) -> None:
    assert trials(stage, ATTACKS[kind], count=30) == []


def test_honest_growth_raises_no_alarm(stage: Stage) -> None:
    assert clean_runs(stage, count=30) == []


@pytest.mark.long
@pytest.mark.parametrize("kind", ATTACKS)
def test_none_of_a_thousand_attacks_goes_unnoticed(kind: str, stage: Stage) -> None:
    assert trials(stage, ATTACKS[kind], count=1000) == []


@pytest.mark.long
def test_a_thousand_honest_ledgers_raise_no_alarm(stage: Stage) -> None:
    assert clean_runs(stage, count=1000) == []


@pytest.mark.parametrize("seed", range(60))
def test_any_byte_of_the_leaves_or_the_checkpoint_that_is_changed_is_noticed(seed: int, stage: Stage) -> None:
    """Without the signing key, and without writing anything else anew."""
    rng = random.Random(seed)
    pinned = stage.written(entries(SIZE_MAX), seed=seed)
    files = [*sorted((stage.folder / "leaves").iterdir()), stage.folder / CHECKPOINT]
    path = rng.choice(files)
    raw = bytearray(path.read_bytes())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(7)
    path.write_bytes(raw)

    assert not stage.audited(pinned).holds


def test_one_checkpoint_outside_is_what_it_takes(stage: Stage) -> None:
    """Without it, who holds the key cannot be told from the owner."""
    told = entries(30)
    stage.written(told, seed=1)
    stage.written(edited(told, random.Random(1)), seed=1)

    assert audit(stage.folder, key=KEY, pinned=None).holds


def test_what_the_attacker_writes_is_what_the_ledger_writes(stage: Stage, tmp_path: Path) -> None:
    """Else he would be noticed for his handwriting."""
    ledger_of(tmp_path / "real", 3 * SEGMENT + 1)
    stage.written(entries(3 * SEGMENT + 1), seed=1)
    real, forged = (sorted((folder / LEAVES).iterdir()) for folder in (tmp_path / "real", stage.folder))

    assert [path.name for path in real] == [path.name for path in forged]
    assert [path.stat().st_size for path in real] == [path.stat().st_size for path in forged]
    assert real[0].read_bytes()[: -32 * SEGMENT] == forged[0].read_bytes()[: -32 * SEGMENT]
