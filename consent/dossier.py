"""A dossier: evidence in files for somebody outside, who checks it with a public key and needs no word of this server.

In a folder: consent records (ISO/IEC TS 27560 in JSON-LD), all evidence as CSV, the notices word by word, for one
person the proof of each piece from the ledger, the verifier, and a manifest with the hash of every file, signed as a
note. It is checked by `consent.dossier_verifier`, which needs nothing of ours.
"""

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from consent import dossier_verifier
from consent.consent_record import CONTEXT, Controller, consent_record, not_stated
from consent.csv_cells import harmless_cell
from consent.evidence import Evidence
from consent.ledger_note import Signer, sign_note
from consent.ledger_proof import Proof
from consent.rules import Rules
from events.acts import ConsentAct
from events.position import Position
from events.shape import format_time

FORMAT: Final = "rapport-dossier/1"
MANIFEST: Final = "manifest.json"
NOTE: Final = "manifest.note"
CONSENTS: Final = "consents.jsonld"
EVIDENCE: Final = "evidence.csv"
NOTICES: Final = "notices.json"
PROOFS: Final = "proofs"
VERIFIER: Final = "verify.py"
COLUMNS: Final = (
    "position",
    "type",
    "identity",
    "event",
    "source",
    "occurred_at",
    "effective_at",
    "received_at",
    "purpose",
    "said",
)

Prove = Callable[[Position], Proof | None]
"""The proof of the piece at a position; None where the ledger has none (yet, or any more)."""


class DossierRefused(Exception):
    """The dossier is not written; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a dossier speaks of: whom (in words), by evidence up to which places, made when (ms), by whom."""

    subject: str
    read_to: Sequence[Position]
    made_at: int
    controller: Controller
    rules: Rules


def write_dossier(
    folder: Path, evidence: Iterable[Evidence], *, about: About, signers: Sequence[Signer], prove: Prove | None = None
) -> dict[str, Any]:
    """Write the files into a folder that is not there yet, and return the manifest. DossierRefused.

    `prove` is asked for each piece; without it there are no proofs.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise DossierRefused(f"{folder}: {error.strerror}; name a folder that is not there yet") from error
    missing: set[str] = set()
    unproven: list[str] = []
    counts = {"pieces": 0, "records": 0, "proofs": 0}
    with (
        (folder / CONSENTS).open("w", encoding="utf-8") as records,
        (folder / EVIDENCE).open("w", encoding="utf-8", newline="") as rows,
    ):
        records.write(f'{{"@context": {json.dumps(CONTEXT)},\n"@graph": [')
        table = csv.writer(rows)
        table.writerow(COLUMNS)
        for piece in evidence:
            table.writerow(_row(piece))
            counts["pieces"] += 1
            if isinstance(piece.fact.body, ConsentAct):
                record = consent_record(piece, controller=about.controller, rules=about.rules)
                missing |= not_stated(record)
                records.write(f"{',' if counts['records'] else ''}\n{json.dumps(record, ensure_ascii=False)}")
                counts["records"] += 1
            if prove is not None:
                proven = _write_proof(folder, piece.position, prove)
                counts["proofs"] += proven
                unproven += [] if proven else [str(piece.position)]
        records.write("\n]}\n")
    _write(
        folder / NOTICES,
        [notice.model_dump(mode="json") | {"sha256": notice.hash} for notice in about.rules.notices.versions],
    )
    shutil.copyfile(dossier_verifier.__file__, folder / VERIFIER)
    manifest = {
        "format": FORMAT,
        "about": about.subject,
        "made_at": format_time(about.made_at),
        "read_to": [str(place) for place in about.read_to],
        **counts,
        "proven": prove is not None,
        "without_proof": unproven,
        "not_stated": sorted(missing),
        "files": {name: _described(folder / name) for name in _names(folder)},
    }
    _write(folder / MANIFEST, manifest)
    (folder / NOTE).write_text(sign_note(_said_of(folder / MANIFEST), signers), encoding="utf-8")
    return manifest


def _row(piece: Evidence) -> list[str]:
    fact = piece.fact
    times = (fact.occurred_at, fact.effective_at, fact.received_at)
    said = json.dumps(fact.body.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, sort_keys=True)
    named = [str(piece.position), fact.type, fact.identity, fact.event_key.hex(), harmless_cell(fact.source)]
    return [*named, *map(format_time, times), getattr(fact.body, "purpose", ""), said]


def _write_proof(folder: Path, position: Position, prove: Prove) -> bool:
    proof = prove(position)
    if proof is None:
        return False
    (folder / PROOFS).mkdir(exist_ok=True)
    _write(folder / PROOFS / f"{position}.json", proof.written())
    return True


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _names(folder: Path) -> list[str]:
    """The files that the manifest lists, by their path in the folder."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in paths if name not in {MANIFEST, NOTE})


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}


def _said_of(manifest: Path) -> str:
    return f"{FORMAT}\nsha256 {hashlib.sha256(manifest.read_bytes()).hexdigest()}\n"
