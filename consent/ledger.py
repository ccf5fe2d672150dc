"""The ledger: what was agreed to and what was done, put down so that nobody can alter it unnoticed.

Openings are written first and are what an acknowledgement rests on; leaves follow and can be made again from them; a
checkpoint is signed over leaves that are on disk. So a crash at any point loses nothing acknowledged, and no two trees
are ever signed. One process writes at a time.
"""

import fcntl
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Final

from consent.ledger_entry import SALT_BYTES, Entry, EntryUnknown, LedgerDamaged, LedgerError, Opening
from consent.ledger_note import Checkpoint, NoteInvalid, Signer, open_checkpoint, read_checkpoint, sign_note
from consent.ledger_openings import Openings, Place, Publication, Row
from consent.ledger_proof import Proof
from consent.ledger_segments import SEGMENT_LEAVES, LeafFiles
from consent.ledger_tree import consistency_proof, inclusion_proof
from events.durable_files import make_folder, replace_durably

LEAVES: Final = "leaves"
OPENINGS: Final = "openings.db"
CHECKPOINT: Final = "checkpoint"
"""In the folder of a ledger. Leaves and checkpoint may be given to anybody, openings to nobody."""


class EntryDiffers(LedgerError):
    """Another entry was put down under this id."""


class Ledger:
    """The ledger in a folder, made where there is none.

    LedgerDamaged when what is there is not what was written and signed. `salt` gives so many random bytes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_leaves: int = SEGMENT_LEAVES,
        salt: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._folder = folder
        self._salt = salt
        self._thread = RLock()
        make_folder(folder / LEAVES, root=folder)
        with self._alone():
            self._openings = Openings(folder / OPENINGS)
            self._leaves = LeafFiles(folder / LEAVES, leaves=segment_leaves)
            self._check_against_openings()
            self._write_missing_leaves()

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self._openings.size

    def append(self, entries: Sequence[Entry], *, place: Place | None = None) -> list[int]:
        """Put entries down, and how far a follower came with them; their leaves.

        Durable when it returns. An entry that is there already stays; EntryDiffers where it says something else.
        """
        with self._alone():
            self._write_missing_leaves()
            known = self._openings.known([entry.id for entry in entries])
            rows: dict[str, Row] = {}
            for entry in entries:
                payload = entry.payload()
                if entry.id in known:
                    self._check_same(entry.id, payload)
                elif entry.id not in rows:
                    rows[entry.id] = self._row(entry, payload, leaf=self._leaves.size + len(rows))
                elif rows[entry.id].payload != payload:
                    raise EntryDiffers(f"two entries are called {entry.id}")
            if rows or place is not None:
                self._openings.add(list(rows.values()), place=place)
                self._write_missing_leaves()
            leaves = known | {name: row.leaf for name, row in rows.items()}
            return [leaves[entry.id] for entry in entries]

    def next_offset(self, epoch: int, partition: int) -> int:
        """Where a partition is to be gone on with."""
        return self._openings.next_offset(epoch, partition)

    def opening(self, entry_id: str) -> Opening:
        """What was put down under an id; EntryUnknown where there is nothing, or nothing any more."""
        return self._openings.row(entry_id).opening()

    def about(self, identities: Collection[str]) -> list[Opening]:
        """The openings of all entries about these identities that are there still, in their order."""
        return [row.opening() for row in self._openings.about(identities)]

    def forget(self, identities: Collection[str], *, because: str) -> list[int]:
        """Destroy the openings of all entries about these identities; the leaves that lost theirs.

        `because` is the entry that says why, which must not be about them itself. The tree stays as it is.
        """
        with self._alone():
            self._write_missing_leaves()
            return self._openings.destroy(identities, because=self._openings.row(because).leaf)

    def age_out(self, kinds: Collection[str], *, clock: str, before: int, because: Entry) -> int:
        """Destroy the openings of entries of these kinds that are older, by the time (ms) called `clock`; how many.

        `because` says why, and is put down only if there are any. The tree stays as it is.
        """
        with self._alone():
            self._write_missing_leaves()
            leaves = self._openings.older(kinds, clock=clock, before=before)
        [reason] = self.append([because]) if leaves else [-1]
        with self._alone():
            # Also with none: what was overwritten before may be in the log of the file still.
            self._openings.overwrite(leaves, because=reason)
        return len(leaves)

    def checkpoint(self, signers: Sequence[Signer], *, now_ms: int) -> str:
        """Sign the ledger as it is; the note, which is the earlier one while nothing was added.

        LedgerDamaged when the ledger does not continue what was signed last.
        """
        with self._alone():
            self._write_missing_leaves()
            size = self._leaves.size
            signed = self._check_against_signed()
            note = self.latest()
            if note is None or signed is None or signed.size != size or not _is_signed_by(note, signers):
                origin = signers[0].name
                if signed is not None and signed.origin != origin:
                    raise LedgerError(f"the ledger is signed as {signed.origin}, the key is of {origin}")
                text = Checkpoint(origin=origin, size=size, root=self._leaves.root(size)).text()
                note = sign_note(text, signers)
                self._openings.keep_checkpoint(note, size=size, now_ms=now_ms)
            self._show(note)
            return note

    def latest(self) -> str | None:
        """The last checkpoint that was signed."""
        return next((note for _, note, _ in self.checkpoints(most=1)), None)

    def checkpoints(self, *, most: int = -1) -> list[tuple[int, str, int]]:
        """Size, note and time (ms) of the checkpoints that were signed, the last one first; -1 for all."""
        return self._openings.checkpoints(most=most)

    def prove(self, entry_id: str, *, since: int | None = None) -> Proof:
        """An entry with its way to the last checkpoint, and from the checkpoint of `since` entries to that.

        EntryUnknown where there is no opening; LedgerError when no checkpoint reaches so far.
        """
        opening, note = self.opening(entry_id), self.latest()
        size = 0 if note is None else read_checkpoint(note).size
        if note is None or size <= opening.index:
            raise LedgerError(f"no checkpoint holds {entry_id} yet: sign one first")
        if since is not None and since > size:
            raise LedgerError(f"the last checkpoint holds {size} entries, fewer than {since}")
        with self._thread:
            self._leaves.refresh()
            return Proof(
                index=opening.index,
                salt=opening.salt,
                entry=opening.entry,
                note=note,
                inclusion=tuple(inclusion_proof(opening.index, size=size, subtree=self._leaves.subtree)),
                since=since,
                consistency=() if since is None else self.consistency(since, size),
            )

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """What shows that the first `old` entries begin the first `new`."""
        with self._thread:
            self._leaves.refresh()
            return tuple(consistency_proof(old, new, subtree=self._leaves.subtree))

    def root(self, size: int) -> bytes:
        """The root of the first `size` entries; ValueError where there are fewer."""
        with self._thread:
            self._leaves.refresh()
            return self._leaves.root(size)

    def publications(self) -> list[Publication]:
        """How far every target was told."""
        return self._openings.publications()

    def keep_publication(self, told: Publication) -> None:
        """Remember how far a target was told."""
        self._openings.keep_publication(told)

    def close(self) -> None:
        """Let go of the files."""
        self._openings.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile, in this process or another."""
        with self._thread, (self._folder / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _row(self, entry: Entry, payload: bytes, *, leaf: int) -> Row:
        return Row(id=entry.id, leaf=leaf, salt=self._salt(SALT_BYTES), payload=payload, subjects=entry.subjects)

    def _check_same(self, entry_id: str, payload: bytes) -> None:
        with suppress(EntryUnknown):  # what was destroyed cannot be compared
            if self.opening(entry_id).payload != payload:
                raise EntryDiffers(f"another entry was put down as {entry_id}")

    def _write_missing_leaves(self) -> None:
        """Bring the leaves up to the openings, whoever left them behind."""
        self._leaves.refresh()
        while (start := self._leaves.size) < (end := self._openings.size):
            rows = self._openings.rows(start, min(end, start + SEGMENT_LEAVES))
            self._leaves.append([row.opening().commitment for row in rows])

    def _check_against_openings(self) -> None:
        """Take back the end of a write that was cut off; anything else that does not fit stops us."""
        signed = self._check_against_signed()
        if self._leaves.size > self._openings.size:
            raise LedgerDamaged(f"{self._leaves.size} leaves have only {self._openings.size} openings")
        first = self._leaves.last_file
        start = max(first, signed.size if signed else 0)
        written = self._leaves.commitments(first)[start - first :]
        for row, commitment in zip(self._openings.rows(start, self._leaves.size), written, strict=True):
            if row.salt is not None and row.opening().commitment != commitment:
                self._leaves.cut(row.leaf)
                return

    def _check_against_signed(self) -> Checkpoint | None:
        """The last checkpoint, which the leaves must still agree with."""
        note = self.latest()
        if note is None:
            return None
        try:
            signed = read_checkpoint(note)
        except NoteInvalid as error:
            raise LedgerDamaged(f"the last checkpoint cannot be read: {error}") from None
        if signed.size > self._leaves.size:
            raise LedgerDamaged(f"{signed.size} entries were signed, and {self._leaves.size} leaves are left")
        if self._leaves.root(signed.size) != signed.root:
            raise LedgerDamaged(f"the first {signed.size} leaves are not those that were signed")
        return signed

    def _show(self, note: str) -> None:
        path = self._folder / CHECKPOINT
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") == note:
            return
        replace_durably(path, note.encode())


def _is_signed_by(note: str, signers: Sequence[Signer]) -> bool:
    with suppress(NoteInvalid):
        for each in signers:
            open_checkpoint(note, each.verifier)
        return True
    return False
