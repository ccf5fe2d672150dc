"""Signed notes and checkpoints as C2SP writes them: a text, a blank line, and a line for each signature.

A key is written `name+id+key`, its secret half `PRIVATE+KEY+name+id+key`; the signatures are Ed25519. A checkpoint is a
note of three lines: whose ledger it is, how many entries it has, and the root of their tree.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.ledger_tree import HASH_BYTES

NOTE_BYTES_MAX: Final = 64 * 1024
SIGNATURES_MAX: Final = 100

SIGNS: Final = b"\x01"
"""A key that signs notes."""
COSIGNS: Final = b"\x04"
"""A key that cosigns checkpoints (`consent.ledger_witness`)."""

_SECRET: Final = "PRIVATE+KEY+"  # noqa: S105 - the word that begins one
_DASH: Final = "— "
_NAME: Final = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


class NoteInvalid(Exception):
    """A key, a note or a checkpoint is not what it should be; the text says why and never holds a secret."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key by name (32 bytes), and what it is for."""

    name: str
    public: bytes
    use: bytes = SIGNS

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys under one name apart."""
        return sha256(self.name.encode() + b"\n" + self.use + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_text(self.use + self.public)}"


@dataclass(frozen=True, slots=True)
class Signer:
    """A secret key by name (its 32 byte seed), and what it is for."""

    name: str
    seed: bytes = field(repr=False)
    use: bytes = SIGNS

    @property
    def verifier(self) -> Verifier:
        """Its public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return Verifier(self.name, public, self.use)

    def written(self) -> str:
        """The secret as it is kept in a file."""
        return f"{_SECRET}{self.name}+{self.verifier.key_id.hex()}+{_text(self.use + self.seed)}"

    def sign(self, text: str) -> bytes:
        """The signature of a text (64 bytes)."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A ledger as it was once: its name, how many entries, and the root of their tree (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_text(self.root)}\n"


def make_signer(name: str, seed: bytes, *, use: bytes = SIGNS) -> Signer:
    """A signer under a name that fits into a note, from 32 random bytes; NoteInvalid for others."""
    if not _NAME.fullmatch(name):
        raise NoteInvalid("the name of a key has no spaces and no plus sign")
    if len(seed) != HASH_BYTES:
        raise NoteInvalid("the secret of a key is 32 bytes")
    return Signer(name, seed, use)


def read_signer(text: str, *, use: bytes = SIGNS) -> Signer:
    """The secret key written in a text; NoteInvalid when it is none, or of another use."""
    if not text.startswith(_SECRET):
        raise NoteInvalid("this is not a secret key of a ledger")
    name, key_id, seed = _key_parts(text.removeprefix(_SECRET).strip(), use)
    signer = make_signer(name, seed, use=use)
    if signer.verifier.key_id.hex() != key_id:
        raise NoteInvalid("the secret key is damaged: its id does not belong to it")
    return signer


def read_verifier(text: str, *, use: bytes = SIGNS) -> Verifier:
    """The public key written in a text; NoteInvalid when it is none, or of another use."""
    if text.startswith(_SECRET):
        raise NoteInvalid("this is a secret key; give the public one")
    name, key_id, public = _key_parts(text.strip(), use)
    verifier = Verifier(name, public, use)
    if verifier.key_id.hex() != key_id:
        raise NoteInvalid("the public key is damaged: its id does not belong to it")
    return verifier


def sign_note(text: str, signers: Sequence[Signer]) -> str:
    """The text as a note with a signature of each signer."""
    _check_text(text)
    lines = [signature_line(each.verifier, each.sign(text)) for each in signers]
    return f"{text}\n{''.join(lines)}"


def signature_line(key: Verifier, signature: bytes) -> str:
    """The line of a note that says that the key's owner signed it."""
    return f"{_DASH}{key.name} {_text(key.key_id + signature)}\n"


def open_note(note: str, verifier: Verifier) -> str:
    """The text of a note that the key's owner signed; NoteInvalid otherwise. Signatures of others are passed over."""
    text, signatures = signatures_of(note)
    for name, key_id, signature in signatures:
        # The first that claims to be this key's decides.
        if (name, key_id) == (verifier.name, verifier.key_id):
            try:
                Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature, text.encode())
            except (InvalidSignature, ValueError):
                raise NoteInvalid(f"the signature of {verifier.name} does not fit the text") from None
            return text
    raise NoteInvalid(f"the note is not signed with the key {verifier.name} ({verifier.key_id.hex()})")


def signatures_of(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text of a note; name, key id and signature of each line below it, unchecked. NoteInvalid for no note."""
    if len(note.encode(errors="surrogatepass")) > NOTE_BYTES_MAX:
        raise NoteInvalid("the note is too long")
    text, gap, rest = note.rpartition("\n\n")
    if not gap or not rest.endswith("\n"):
        raise NoteInvalid("the note has no signatures")
    text += "\n"
    _check_text(text)
    lines = rest.removesuffix("\n").split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteInvalid("the note has too many signatures")
    return text, [_signature(line) for line in lines]


def open_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """The checkpoint in a note that the key's owner signed, of the ledger of the same name; NoteInvalid otherwise."""
    checkpoint = read_checkpoint(open_note(note, verifier))
    if checkpoint.origin != verifier.name:
        raise NoteInvalid(f"the checkpoint is of another ledger than {verifier.name}")
    return checkpoint


def read_checkpoint(note: str) -> Checkpoint:
    """What a note says as a checkpoint, whoever signed it; NoteInvalid when it says none."""
    lines = note.split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise NoteInvalid("the note is not a checkpoint")
    root = _bytes(lines[2])
    if len(root) != HASH_BYTES:
        raise NoteInvalid("the checkpoint has no root")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def _key_parts(text: str, use: bytes) -> tuple[str, str, bytes]:
    name, _, rest = text.partition("+")
    key_id, _, key = rest.partition("+")
    kept = _bytes(key)
    if not _NAME.fullmatch(name) or len(kept) != 1 + HASH_BYTES:
        raise NoteInvalid("a key is written name+id+key, and is an Ed25519 key")
    if kept[:1] != use:
        raise NoteInvalid(f"this is not the key of a {'ledger' if use == SIGNS else 'witness'}")
    return name, key_id, kept[1:]


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(ord(letter) < 0x20 and letter != "\n" for letter in text):
        raise NoteInvalid("the text of a note is lines")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteInvalid("the text of a note is UTF-8") from None


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    signed = _bytes(encoded)
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(signed) < 5:
        raise NoteInvalid("a signature line of the note is malformed")
    return name, signed[:4], signed[4:]


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteInvalid("a part of the note or key is not base64") from None
