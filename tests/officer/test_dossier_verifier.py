"""The verifier that stands alone: it finds tampering, also by who holds the signing key, and needs nothing of ours."""

import ast
import csv
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest

from consent import dossier_verifier
from consent.consent_record import STATES, Controller
from consent.dossier import CONSENTS, EVIDENCE, MANIFEST, NOTE, PROOFS, VERIFIER, About, write_dossier
from consent.dossier_verifier import Checkpoint as Seen
from consent.dossier_verifier import Unusable, check, is_consistent, root_over
from consent.evidence import Evidence
from consent.ledger_entry import commitment_of, hash_of
from consent.ledger_follower import entry_of
from consent.ledger_note import Checkpoint, Signer, make_signer, sign_note
from consent.ledger_proof import Proof
from consent.ledger_tree import consistency_proof, inclusion_proof, root_of
from consent.purposes import PROFILE, SUGGEST
from consent.rules import shipped_rules
from events.fact import Fact
from events.position import Position
from tests.builders import DAY, NOW, consent, pseudonym
from tests.officer.evidence_world import placed

SIGNER: Final = make_signer("tests.example/ledger", b"s" * 32)
THIEF: Final = make_signer("tests.example/ledger", b"o" * 32)
KEY: Final = str(SIGNER.verifier)
ANNA: Final = pseudonym("app:anna")
TRIALS: Final = 10

Told = list[tuple[Position, Fact]]


def said(number: int, act: Any = "given", purpose: str = PROFILE) -> Fact:
    who = "app:anna" if number % 2 == 0 else "app:ben"
    return consent(act, purpose, identity=who, at=NOW + number * DAY, source="=crm")


HISTORY: Final[Told] = placed([said(number) for number in range(12)])


class Tree:
    """A ledger as its owner, or whoever took it over, writes it: an entry keeps its salt wherever it stands."""

    def __init__(self, told: Told, *, seed: int, signer: Signer = SIGNER, since: int | None = None) -> None:
        self.entries = [entry_of(*each) for each in told]
        self.salts = [sha256(f"{seed} {each.id}".encode()).digest() for each in self.entries]
        self.hashes = [
            hash_of(commitment_of(salt=salt, payload=each.payload()))
            for salt, each in zip(self.salts, self.entries, strict=True)
        ]
        self.note = sign_note(
            Checkpoint(origin=signer.name, size=len(told), root=root_of(self.hashes)).text(), [signer]
        )
        self.since = since

    def prove(self, position: Position) -> Proof:
        [at] = [number for number, each in enumerate(self.entries) if each.id == f"fact:{position}"]
        size = len(self.hashes)
        since = None if self.since is None or self.since > size else self.since
        return Proof(
            index=at,
            salt=self.salts[at],
            entry=json.loads(self.entries[at].payload()),
            note=self.note,
            inclusion=tuple(inclusion_proof(at, size=size, subtree=self.subtree)),
            since=since,
            consistency=() if since is None else tuple(consistency_proof(since, size, subtree=self.subtree)),
        )

    def subtree(self, start: int, end: int) -> bytes:
        return root_of(self.hashes[start:end])


def written(folder: Path, told: Told, tree: Tree, *, signer: Signer = SIGNER) -> Path:
    """The dossier about Anna that an owner of this ledger hands out."""
    about = About(
        subject="one person, 1 identities",
        read_to=[Position(1, 0, 99)],
        made_at=NOW + 40 * DAY,
        controller=Controller(),
        rules=shipped_rules(),
    )
    pieces = sorted(Evidence(*each) for each in told if each[1].identity == ANNA)
    write_dossier(folder, pieces, about=about, signers=[signer], prove=tree.prove)
    return folder


def edited(told: Told, rng: random.Random) -> Told:
    at = rng.randrange(len(told))
    position, fact = told[at]
    other = consent("withdrawn", PROFILE, identity="app:anna", at=fact.occurred_at, source="=crm")
    return [*told[:at], (position, other), *told[at + 1 :]]


def deleted(told: Told, rng: random.Random) -> Told:
    at = rng.randrange(len(told))
    return told[:at] + told[at + 1 :]


def reordered(told: Told, rng: random.Random) -> Told:
    one, other = rng.sample(range(len(told)), 2)
    swapped = list(told)
    swapped[one], swapped[other] = told[other], told[one]
    return swapped


def inserted(told: Told, rng: random.Random) -> Told:
    at = rng.randrange(len(told))
    return [*told[:at], (Position(1, told[0][0].partition, 500), said(30, "withdrawn")), *told[at:]]


def truncated(told: Told, rng: random.Random) -> Told:
    return told[: rng.randrange(1, len(told))]


def forked(told: Told, rng: random.Random) -> Told:
    at = rng.randrange(1, len(told))
    others = placed([said(number, "refused", SUGGEST) for number in range(at, at + rng.randrange(1, 30))], epoch=2)
    return told[:at] + others


def kept(told: Told, _: random.Random) -> Told:
    return told


ATTACKS: Final[dict[str, tuple[Callable[[Told, random.Random], Told], Signer]]] = {
    "edit": (edited, SIGNER),
    "delete": (deleted, SIGNER),
    "reorder": (reordered, SIGNER),
    "insert": (inserted, SIGNER),
    "truncate": (truncated, SIGNER),
    "fork": (forked, SIGNER),
    "key swap": (kept, THIEF),
}


def attacked(folder: Path, kind: str, *, seed: int) -> tuple[Path, str]:
    """A dossier from a ledger that was rewritten by who holds its key, and a checkpoint of it from before."""
    rng = random.Random(seed)
    rewrite, signer = ATTACKS[kind]
    before = Tree(HISTORY, seed=seed)
    told = rewrite(list(HISTORY), rng) + placed([said(number) for number in range(rng.randrange(9))], epoch=3)
    tree = Tree(told, seed=seed, signer=signer, since=len(HISTORY))
    return written(folder, told, tree, signer=signer), before.note


def honest(folder: Path, *, seed: int) -> tuple[Path, str]:
    """A dossier from a ledger that only grew, and a checkpoint of it from before."""
    rng = random.Random(seed)
    before = Tree(HISTORY[: rng.randrange(1, len(HISTORY) + 1)], seed=seed)
    told = HISTORY + placed([said(number) for number in range(rng.randrange(9))], epoch=3)
    return written(folder, told, Tree(told, seed=seed, since=len(before.hashes))), before.note


def alone(folder: Path, note: str, *, key: str = KEY) -> "subprocess.CompletedProcess[str]":
    """The verifier as a process of its own, elsewhere, which finds nothing of ours and no environment."""
    elsewhere = folder.parent / "auditor"
    elsewhere.mkdir()
    (elsewhere / "verify.py").write_bytes(Path(dossier_verifier.__file__).read_bytes())
    (elsewhere / "ledger.pub").write_text(key)
    (elsewhere / "earlier").write_text(note, encoding="utf-8")
    argv = [sys.executable, "-I", "verify.py", str(folder), "--key", "ledger.pub", "--checkpoint", "earlier"]
    return subprocess.run(argv, cwd=elsewhere, env={}, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("kind", ATTACKS)
def test_a_process_of_its_own_finds_a_ledger_that_was_rewritten_and_signed_again(kind: str, tmp_path: Path) -> None:
    done = alone(*attacked(tmp_path / "dossier", kind, seed=1))

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith("it does not hold\n")


def test_a_process_of_its_own_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    done = alone(*honest(tmp_path / "dossier", seed=1))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "it holds: nothing changed, added or taken away since\n"


@pytest.mark.parametrize("kind", ATTACKS)
def test_none_of_many_rewritings_goes_unnoticed(kind: str, tmp_path: Path) -> None:
    unnoticed = []
    for seed in range(TRIALS):
        folder, note = attacked(tmp_path / str(seed), kind, seed=seed)
        if not check(folder, key=KEY, checkpoint=note)[0]:
            unnoticed.append(seed)

    assert unnoticed == []


def test_honest_growth_raises_no_alarm(tmp_path: Path) -> None:
    for seed in range(TRIALS):
        folder, note = honest(tmp_path / str(seed), seed=seed)
        assert check(folder, key=KEY, checkpoint=note) == ([], []), seed


def test_an_earlier_checkpoint_is_what_it_takes(tmp_path: Path) -> None:
    folder, _ = attacked(tmp_path / "dossier", "delete", seed=1)

    assert check(folder, key=KEY)[0] == []


def signed_again(folder: Path) -> None:
    """What somebody does who holds the key: the manifest made to fit altered files, and signed."""
    told = json.loads((folder / MANIFEST).read_text())
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in {MANIFEST, NOTE}]
    told["files"] = {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in paths
    }
    rows = list(csv.DictReader(StringIO((folder / EVIDENCE).read_text("utf-8"))))
    proven = {path.stem for path in (folder / PROOFS).iterdir()}
    told |= {"pieces": len(rows), "without_proof": [row["position"] for row in rows if row["position"] not in proven]}
    (folder / MANIFEST).write_text(json.dumps(told))
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    (folder / NOTE).write_text(sign_note(f"rapport-dossier/1\nsha256 {digest}\n", [SIGNER]), encoding="utf-8")


Lines = list[str]

FORGERIES: Final[dict[str, Callable[[Lines], Sequence[str]]]] = {
    "a row is edited": lambda rows: [rows[0].replace("consent.given", "consent.withdrawn"), *rows[1:]],
    "a row is deleted": lambda rows: rows[1:],
    "the last rows are deleted": lambda rows: rows[:-2],
    "rows change places": lambda rows: [rows[1], rows[0], *rows[2:]],
    "a row stands twice": lambda rows: [rows[0].replace("given", "refused"), *rows],
    "a position has another row before its own": lambda rows: [rows[0].replace(ANNA, pseudonym("app:ben")), *rows],
    "a row is put in": lambda rows: [*rows, rows[-1].replace("1.", "2.", 1)],
    "a row gets one more cell": lambda rows: [rows[0].rstrip() + ",more\r\n", *rows[1:]],
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_evidence_that_was_forged_with_the_key_is_found(forgery: str, tmp_path: Path) -> None:
    folder, note = honest(tmp_path / "dossier", seed=3)
    with (folder / EVIDENCE).open(newline="", encoding="utf-8") as file:
        head, *rows = file.readlines()
    with (folder / EVIDENCE).open("w", newline="", encoding="utf-8") as file:
        file.writelines([head, *FORGERIES[forgery](rows)])
    signed_again(folder)

    faults, _ = check(folder, key=KEY, checkpoint=note)
    assert faults
    assert not all(CONSENTS in each for each in faults)


def test_a_proof_that_was_rewritten_with_its_row_and_record_leads_to_another_root(tmp_path: Path) -> None:
    folder, note = (
        written(tmp_path / "dossier", HISTORY, Tree(HISTORY, seed=1, since=5)),
        Tree(HISTORY[:5], seed=1).note,
    )
    [row, *_] = csv.DictReader(StringIO((folder / EVIDENCE).read_text("utf-8")))
    position, event = row["position"], row["event"]
    for path in (folder / EVIDENCE, folder / CONSENTS, folder / PROOFS / f"{position}.json"):
        told = path.read_text("utf-8")
        assert event in told
        path.write_text(told.replace(event, "f" * len(event)), encoding="utf-8", newline="")
    signed_again(folder)

    [fault] = check(folder, key=KEY, checkpoint=note)[0]
    assert "the entry is not the one at leaf" in fault


def test_proofs_of_two_ledgers_that_continue_the_same_checkpoint_are_found(tmp_path: Path) -> None:
    one, other = (Tree(HISTORY[:-2] + placed([said(40 + tail)], epoch=3), seed=1, since=4) for tail in range(2))
    about_anna = HISTORY[:-2]
    mixed = {position: (one, other)[number % 4 == 0] for number, (position, _) in enumerate(about_anna)}
    one.prove = lambda position: Tree.prove(mixed[position], position)  # type: ignore[method-assign]
    folder = written(tmp_path / "dossier", about_anna, one)

    faults = check(folder, key=KEY, checkpoint=Tree(HISTORY[:4], seed=1).note)[0]

    assert faults
    assert all("another ledger than the proofs before it" in each for each in faults)


@pytest.mark.parametrize("was", ["dpv:ConsentGiven", PROFILE, ANNA, "2026-03-01", "rapport:event"])
def test_records_that_were_forged_with_the_key_are_held_against_the_evidence(was: str, tmp_path: Path) -> None:
    folder, note = honest(tmp_path / "dossier", seed=3)
    records = (folder / CONSENTS).read_text("utf-8")
    assert was in records
    (folder / CONSENTS).write_text(records.replace(was, "other", 1), encoding="utf-8")
    signed_again(folder)

    assert check(folder, key=KEY, checkpoint=note)[0]


def test_an_act_that_the_ledger_has_had_time_for_needs_a_proof(tmp_path: Path) -> None:
    folder, note = honest(tmp_path / "dossier", seed=3)
    min((folder / PROOFS).iterdir()).unlink()
    signed_again(folder)

    faults, remarks = check(folder, key=KEY, checkpoint=note)

    assert [each.partition(" ")[2] for each in faults] == ["has no proof, though the ledger had a day to take it"]
    assert remarks


def test_what_the_owner_of_the_key_leaves_out_altogether_is_not_seen(tmp_path: Path) -> None:
    """No dossier can show it; the ledger as a whole still has the leaf."""
    tree = Tree(HISTORY, seed=1, since=5)
    folder = written(tmp_path / "dossier", HISTORY[2:], tree)

    assert check(folder, key=KEY, checkpoint=Tree(HISTORY[:5], seed=1).note)[0] == []


def test_without_a_proof_an_earlier_checkpoint_shows_nothing_and_that_is_said(tmp_path: Path) -> None:
    note = Tree(HISTORY, seed=1).note
    folder = written(tmp_path / "dossier", [], Tree(HISTORY, seed=1))

    assert check(folder, key=KEY)[0] == []
    assert check(folder, key=KEY, checkpoint=note)[0]


@pytest.mark.parametrize(
    ("key", "note"),
    [("", None), (KEY[:-8], None), (KEY.replace("+", "-", 1), None), (KEY, "no note"), (KEY, "a\n\n— b c\n")],
)
def test_keys_and_checkpoints_that_are_none_are_told_with_status_two(
    key: str, note: str | None, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check(tmp_path, key=key, checkpoint=note)


def test_a_checkpoint_of_somebody_else_is_no_earlier_one(tmp_path: Path) -> None:
    folder, _ = honest(tmp_path / "dossier", seed=3)
    with pytest.raises(Unusable, match="not signed with the key"):
        check(folder, key=KEY, checkpoint=Tree(HISTORY, seed=1, signer=THIEF).note)

    done = alone(folder, Tree(HISTORY, seed=1, signer=THIEF).note)
    assert done.returncode == 2
    assert done.stderr.startswith("it cannot be checked: it is not signed with the key")


def test_its_trees_are_those_of_the_ledger() -> None:
    leaves = [sha256(bytes([number])).digest() for number in range(40)]

    def subtree(start: int, end: int) -> bytes:
        return root_of(leaves[start:end])

    for size in range(1, len(leaves)):
        root = root_of(leaves[:size])
        for index in range(size):
            path = inclusion_proof(index, size=size, subtree=subtree)
            assert root_over(leaves[index], index=index, size=size, path=path) == root
        for old in range(size + 1):
            steps = consistency_proof(old, size, subtree=subtree)
            seen = [Seen("x", old, root_of(leaves[:old])), Seen("x", old, bytes(32))]
            assert is_consistent(seen[0], Seen("x", size, root), steps)
            assert not is_consistent(seen[1], Seen("x", size, root), steps)


@pytest.mark.parametrize(
    ("index", "size", "path"), [(0, 0, []), (1, 1, []), (0, 1, [b"x"]), (0, 2, []), (5, 4, [b"x"])]
)
def test_a_path_that_is_not_one_of_the_tree_leads_nowhere(index: int, size: int, path: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        root_over(b"leaf", index=index, size=size, path=path)


def test_it_needs_nothing_but_the_standard_library_and_cryptography() -> None:
    tree = ast.parse(Path(dossier_verifier.__file__).read_text("utf-8"))
    named = {each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    named |= {alias.name for each in ast.walk(tree) if isinstance(each, ast.Import) for alias in each.names}

    assert {name.partition(".")[0] for name in named} <= sys.stdlib_module_names | {"cryptography"}


def test_it_names_the_states_of_consent_as_the_records_do() -> None:
    named = {
        event: dossier_verifier.STATES.get(act := event.partition(".")[2], f"dpv:Consent{act.capitalize()}")
        for event in STATES
    }

    assert named == STATES


def test_it_comes_with_every_dossier(tmp_path: Path) -> None:
    folder, _ = honest(tmp_path / "dossier", seed=3)

    assert (folder / VERIFIER).read_bytes() == Path(dossier_verifier.__file__).read_bytes()
