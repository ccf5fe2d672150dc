"""Witnesses: others who cosign a checkpoint once they have seen that it continues the last one they saw.

So nobody can be shown a ledger of his own: whoever demands a few witnesses he trusts sees what all others see. The
signatures are C2SP tlog-cosignatures, lines of the checkpoint's note: over the time (s) and the whole text.
"""

from collections.abc import Collection
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.ledger import CHECKPOINT
from consent.ledger_entry import LedgerError
from consent.ledger_note import (
    COSIGNS,
    NoteInvalid,
    Signer,
    Verifier,
    open_checkpoint,
    open_note,
    signature_line,
    signatures_of,
)
from consent.ledger_verify import Audit, audit
from events.durable_files import replace_durably

_TIME_BYTES = 8


class WitnessRefused(LedgerError):
    """The checkpoint is not cosigned; the text says why."""


def cosign(note: str, witness: Signer, *, at_s: int) -> str:
    """The note with the witness's line below it, in place of an earlier one of that key."""
    text, signatures = signatures_of(note)
    key = witness.verifier
    if key.use != COSIGNS:
        raise NoteInvalid("the key of a ledger cannot cosign")
    line = signature_line(key, at_s.to_bytes(_TIME_BYTES) + witness.sign(_message(text, at_s)))
    lines = note.removeprefix(f"{text}\n").removesuffix("\n").split("\n")
    others = [
        f"{each}\n"
        for each, (name, key_id, _) in zip(lines, signatures, strict=True)
        if (name, key_id) != (key.name, key.key_id)
    ]
    return f"{text}\n{''.join(others)}{line}"


def cosigned_at(note: str, witness: Verifier) -> int | None:
    """When (s) the witness cosigned the note, by its own clock; None where it did not. NoteInvalid for no note."""
    text, signatures = signatures_of(note)
    for name, key_id, signed in signatures:
        if (name, key_id) == (witness.name, witness.key_id) and witness.use == COSIGNS:
            at_s = int.from_bytes(signed[:_TIME_BYTES])
            try:
                message = _message(text, at_s).encode()
                Ed25519PublicKey.from_public_bytes(witness.public).verify(signed[_TIME_BYTES:], message)
            except (InvalidSignature, ValueError):
                return None
            return at_s
    return None


def too_few(note: str, witnesses: Collection[Verifier], *, demanded: int) -> str | None:
    """Why a note is not cosigned by as many of the witnesses as are demanded; None where it is."""
    seen = {each for each in witnesses if cosigned_at(note, each) is not None}
    if len(seen) >= demanded:
        return None
    missing = ", ".join(sorted(each.name for each in set(witnesses) - seen))
    return f"{len(seen)} of {len(set(witnesses))} witnesses cosigned the checkpoint, {demanded} have to; not {missing}"


def bear_witness(
    folder: Path, *, key: Verifier, witness: Signer, seen: Path, at_s: int, beside: str | None = None
) -> tuple[str | None, Audit]:
    """Cosign the checkpoint of a ledger's folder if it continues the one last seen; the note, None with findings.

    `seen` is the witness's own file: the last checkpoint it cosigned, none before the first. It is durable before the
    cosignature is told. `beside` is the same checkpoint as others cosigned it. WitnessRefused, NoteInvalid.
    """
    note = _text(folder / CHECKPOINT)
    pinned = open_checkpoint(_text(seen), key) if seen.exists() else None
    done = audit(folder, key=key, pinned=pinned)
    if not done.holds:
        return None, done
    if _text(folder / CHECKPOINT) != note:
        raise WitnessRefused("the ledger is being signed: ask again, or give a copy of it")
    if beside is not None:
        if open_note(beside, key) != signatures_of(note)[0]:
            raise WitnessRefused("what others cosigned is another checkpoint than the ledger's")
        note = beside
    cosigned = cosign(note, witness, at_s=at_s)
    replace_durably(seen, cosigned.encode())
    return cosigned, done


def _message(text: str, at_s: int) -> str:
    return f"cosignature/v1\ntime {at_s}\n{text}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WitnessRefused(f"{path} cannot be read: {type(error).__name__}") from None
