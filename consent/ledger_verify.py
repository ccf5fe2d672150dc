"""The audit of a ledger's folder, by somebody who trusts nothing in it.

What counts was kept outside: a public key, and a checkpoint that was published earlier. Everything else is recomputed
from the leaves. Who holds disk and signing key can rewrite whatever he likes and sign it, but not so that it still ends
in the root of that checkpoint.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from consent.ledger import CHECKPOINT, LEAVES, OPENINGS
from consent.ledger_entry import LedgerDamaged, commitment_of, hash_of
from consent.ledger_note import NOTE_BYTES_MAX, Checkpoint, NoteInvalid, Verifier, open_checkpoint
from consent.ledger_openings import Openings
from consent.ledger_segments import Header, SegmentFile, read_file, segment_path
from consent.ledger_tree import EMPTY_ROOT, root_of

FindingKind = Literal["unsigned", "signature", "origin", "truncated", "changed", "files", "opening", "witnesses"]

FINDINGS_MAX: Final = 20
"""So many are told; one is enough."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an honest ledger does not show."""

    kind: FindingKind
    detail: str


@dataclass(slots=True, kw_only=True)
class Audit:
    """What was looked at, and what was found; nothing found means that it holds.

    `signed` and `pinned` are the sizes of the two checkpoints. Openings are counted where they are at hand.
    """

    leaves: int = 0
    signed: int | None = None
    pinned: int | None = None
    opened: int = 0
    destroyed: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Nothing was found."""
        return not self.findings


def audit(folder: Path, *, key: Verifier, pinned: Checkpoint | None) -> Audit:
    """Recompute the ledger in a folder and hold it to a key and to a checkpoint from outside."""
    done = Audit(pinned=pinned.size if pinned else None)
    signed = _signed(folder / CHECKPOINT, key=key, done=done)
    done.signed = signed.size if signed else None
    roots = _Roots({each.size for each in (signed, pinned) if each})
    openings = _openings(folder / OPENINGS, done)
    reasons: set[int] = set()
    try:
        for read in _files(folder / LEAVES, done):
            roots.take(read)
            if openings is not None:
                reasons |= _compare(read.file, openings, done)
        if openings is not None:
            _look_up(reasons, openings, done)
    except LedgerDamaged as error:
        _find(done, "files", str(error))
    finally:
        if openings is not None:
            openings.close()
    done.leaves = roots.size
    if signed is not None:
        _hold(signed, "the last signed checkpoint", roots, done)
    if pinned is not None:
        _hold(pinned, "the earlier checkpoint", roots, done)
        if pinned.origin != key.name:
            _find(done, "origin", f"the earlier checkpoint is of another ledger than {key.name}")
        if signed is not None and signed.size < pinned.size:
            _find(done, "truncated", f"{signed.size} entries are signed, {pinned.size} were signed earlier")
    return done


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    file: SegmentFile
    hashes: list[bytes]
    root: bytes


class _Roots:
    """The roots of the first so many leaves, for the sizes asked for, from files that come by once."""

    def __init__(self, sizes: set[int]) -> None:
        self.size = 0
        self._sizes = sizes
        self._full: list[bytes] = []
        self._found = {0: EMPTY_ROOT}

    def take(self, read: _Read) -> None:
        for size in self._sizes:
            if self.size < size <= self.size + len(read.hashes):
                self._found[size] = root_of([*self._full, root_of(read.hashes[: size - self.size])])
        self._full.append(read.root)
        self.size += len(read.hashes)

    def of(self, size: int) -> bytes | None:
        return self._found.get(size)


def _files(folder: Path, done: Audit) -> Iterator[_Read]:
    """The files of leaves in their order, each held to what the file before it says."""
    names = sorted(path.name for path in folder.glob("*.leaves"))
    expected: Header | None = None
    for number, name in enumerate(names):
        is_last = number + 1 == len(names)
        if name != segment_path(folder, expected.first if expected else 0).name:
            _find(done, "files", f"the file of leaves before {name} is missing")
            return
        file = read_file(folder / name)
        if file is None:
            # At the very end it is a write that was cut off.
            if not is_last:
                _find(done, "files", f"{name} has lost its header")
            return
        leaves = file.header.leaves
        if file.header != (expected or Header(first=0, leaves=leaves)) or leaves < 1 or leaves & (leaves - 1):
            _find(done, "files", f"{name} does not continue the file before it")
            return
        hashes = [hash_of(each) for each in file.commitments]
        root = root_of(hashes)
        yield _Read(file=file, hashes=hashes, root=root)
        if len(hashes) != leaves and not is_last:
            _find(done, "files", f"{name} holds {len(hashes)} leaves, not {leaves}")
            return
        expected = file.follower(root)


def _compare(file: SegmentFile, openings: Openings, done: Audit) -> set[int]:
    """Hold the openings of a file's leaves to them; the entries for whose sake some were destroyed."""
    first, reasons = file.header.first, set()
    kept = openings.kept(first, first + len(file.commitments))
    for leaf, commitment in enumerate(file.commitments, start=first):
        salt, payload, destroyed_by = kept.get(leaf, (None, None, None))
        if type(salt) is bytes and type(payload) is bytes and commitment_of(salt=salt, payload=payload) == commitment:
            done.opened += 1
        elif type(destroyed_by) is int and salt is None and payload is None:
            done.destroyed += 1
            reasons.add(destroyed_by)
        else:
            _find(done, "opening", f"leaf {leaf} has no opening that it stands for, and none that was destroyed")
    return reasons


def _look_up(reasons: set[int], openings: Openings, done: Audit) -> None:
    for reason in sorted(reasons):
        salt, _, _ = openings.kept(reason, reason + 1).get(reason, (None, None, None))
        if salt is None:
            _find(done, "opening", f"openings were destroyed for entry {reason}, which is not there")


def _hold(checkpoint: Checkpoint, what: str, roots: _Roots, done: Audit) -> None:
    found = roots.of(checkpoint.size)
    if found is None:
        _find(done, "truncated", f"{what} holds {checkpoint.size} entries, {roots.size} can be read")
    elif found != checkpoint.root:
        _find(done, "changed", f"the first {checkpoint.size} leaves are not those of {what}")


def _signed(path: Path, *, key: Verifier, done: Audit) -> Checkpoint | None:
    try:
        with path.open("rb") as file:
            return open_checkpoint(file.read(NOTE_BYTES_MAX + 1).decode(), key)
    except FileNotFoundError:
        _find(done, "unsigned", "there is no signed checkpoint")
    except (NoteInvalid, UnicodeDecodeError) as error:
        _find(done, "signature", f"the checkpoint is not one of this key: {error}")
    return None


def _openings(path: Path, done: Audit) -> Openings | None:
    """The openings, where whoever gave us the folder has given them too."""
    if not path.exists():
        return None
    try:
        return Openings(path, read_only=True)
    except LedgerDamaged as error:
        _find(done, "opening", str(error))
        return None


def _find(done: Audit, kind: FindingKind, detail: str) -> None:
    if len(done.findings) < FINDINGS_MAX:
        done.findings.append(Finding(kind, detail))
