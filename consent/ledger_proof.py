"""A proof in one file: an entry, its way to a signed root, and that this root continues an earlier one.

It is checked with a public key and a checkpoint that were kept outside, and with nothing else.
"""

import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.ledger_canonical import NotCanonical, canonical
from consent.ledger_entry import commitment_of, hash_of
from consent.ledger_note import Checkpoint, NoteInvalid, Verifier, open_checkpoint
from consent.ledger_tree import is_consistent, is_included

FORMAT: Final = "rapport-ledger-proof/1"


class ProofUnreadable(Exception):
    """The file is not a proof; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """An entry (`id`, `kind`, `content`) at a leaf, with what shows it.

    `note` is the signed checkpoint that `inclusion` leads to; `consistency` leads there from the checkpoint of
    `since` entries, where one was named.
    """

    index: int
    salt: bytes
    entry: dict[str, Any]
    note: str
    inclusion: tuple[bytes, ...]
    since: int | None = None
    consistency: tuple[bytes, ...] = ()

    def written(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "format": FORMAT,
            "index": self.index,
            "salt": self.salt.hex(),
            "entry": self.entry,
            "checkpoint": self.note,
            "inclusion": [each.hex() for each in self.inclusion],
            "since": self.since,
            "consistency": [each.hex() for each in self.consistency],
        }


def read_proof(raw: bytes) -> Proof:
    """The proof in a file; ProofUnreadable when there is none."""
    try:
        said = json.loads(raw)
        if said["format"] != FORMAT:
            raise ProofUnreadable("the file is no proof of this format")
        since = said["since"]
        return Proof(
            index=_natural(said["index"]),
            salt=bytes.fromhex(said["salt"]),
            entry=dict(said["entry"]),
            note=str(said["checkpoint"]),
            inclusion=_hashes(said["inclusion"]),
            since=None if since is None else _natural(since),
            consistency=_hashes(said["consistency"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise ProofUnreadable("the file is no proof of a ledger") from None


def fault_of(proof: Proof, *, key: Verifier, pinned: Checkpoint | None) -> str | None:
    """What is wrong with a proof, None if it holds: under this key, continuing this earlier checkpoint."""
    try:
        signed = open_checkpoint(proof.note, key)
        leaf = hash_of(commitment_of(salt=proof.salt, payload=canonical(proof.entry)))
    except (NoteInvalid, NotCanonical) as error:
        return str(error)
    if not is_included(leaf, index=proof.index, size=signed.size, proof=proof.inclusion, root=signed.root):
        return f"the entry is not the one at leaf {proof.index} of the tree that was signed"
    return None if pinned is None else _break_since(pinned, signed, proof)


def _break_since(pinned: Checkpoint, signed: Checkpoint, proof: Proof) -> str | None:
    if pinned.origin != signed.origin:
        return f"the earlier checkpoint is of another ledger than {signed.origin}"
    if pinned.size > signed.size:
        return f"the proof is older than the earlier checkpoint: {signed.size} entries against {pinned.size}"
    if pinned.size not in {signed.size, proof.since}:
        return f"the proof does not say that it continues the checkpoint of {pinned.size} entries"
    steps = () if pinned.size == signed.size else proof.consistency
    if is_consistent(old=pinned.size, old_root=pinned.root, new=signed.size, new_root=signed.root, proof=steps):
        return None
    return f"the ledger does not continue the checkpoint of {pinned.size} entries: they were changed, or it was forked"


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ProofUnreadable("the file is no proof of a ledger")
    return value


def _hashes(values: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, values))
