"""The certificate of an erasure: what was destroyed, what survives and until when; a note signed with the ledger's key.

Whoever holds the public key can check it anywhere, and the ledger holds its hash.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from consent.ledger_canonical import canonical
from consent.ledger_note import NoteInvalid, Signer, Verifier, open_note, sign_note
from consent.rights import STEPS, Erasure
from events.shape import format_time

TITLE: Final = "rapport certificate of erasure 1"


class Survivor(NamedTuple):
    """Something of the person that is still there: where, what it tells, and until when."""

    where: str
    what: str
    until: str


_LOG: Final = "until the retention of the topic (retention.ms) has passed and its segment was rolled"

_FACTS: Final = (
    "facts under the pseudonym, what they say sealed under keys that are destroyed (in clear what was told while "
    "sealing was off); and the tombstone"
)

SURVIVORS: Final[Sequence[Survivor]] = (
    Survivor("log of facts on the broker", _FACTS, _LOG),
    Survivor("intake topics on the broker", "events as they were sent, in clear", _LOG),
    Survivor("topics of decisions, messages and consent on the broker", "ids under the pseudonym", _LOG),
    Survivor("history and profiles", "a tombstone: the pseudonym, and when it was erased", "until history is given up"),
    Survivor("ledger", "leaves: commitments whose openings are destroyed, so nothing can be told", "always"),
    Survivor("requests for erasure", "a keyed hash of the pseudonym, by which it is known again", "always"),
    Survivor("people and companies that stay", "links and relations to the pseudonym", "until they are erased too"),
    Survivor("backups and snapshots made before", "what they held", "until they are destroyed; none of ours is kept"),
)
"""What an erasure leaves, wherever it is carried out."""


def certificate_of(
    erasure: Erasure, *, at: int, survivors: Sequence[Survivor], hashes: Sequence[bytes], signers: Sequence[Signer]
) -> str:
    """The signed certificate of an erasure whose other steps are done. `hashes` stand for its identities."""
    destroyed = [
        {"where": name, "what": STEPS[name].does, "at": format_time(done.at), "found": dict(done.found)}
        for name, done in sorted(erasure.done.items(), key=lambda pair: list(STEPS).index(pair[0]))
    ]
    said = {
        "request": erasure.id,
        "asked_at": format_time(erasure.asked_at),
        "certified_at": format_time(at),
        "identities": [{"kind": kind, "hash": each.hex()} for kind, each in zip(erasure.kinds, hashes, strict=True)],
        "destroyed": destroyed,
        "survives": [each._asdict() for each in survivors],
        "not_verified_and_left": list(erasure.left),
    }
    return sign_note(f"{TITLE}\n{canonical(said).decode()}\n", signers)


def read_certificate(note: str, verifier: Verifier) -> Mapping[str, Any]:
    """What a certificate says that the key's owner signed; NoteInvalid otherwise."""
    title, _, said = open_note(note, verifier).partition("\n")
    if title != TITLE:
        raise NoteInvalid("the note is no certificate of erasure")
    found: Mapping[str, Any] = json.loads(said)
    return found


def hash_of(certificate: str) -> str:
    """What the ledger holds of it (hex)."""
    return sha256(certificate.encode()).hexdigest()
