"""Checks a dossier with what its reader holds: a public key, and a checkpoint of the ledger from before.

    python3 verify.py FOLDER --key KEY [--checkpoint FILE]

It stands alone: Python 3.11 with `cryptography`, nothing of the service that made the dossier. Take this file
from where you trust it, not from the dossier you check. Status 0: all holds; 1: it does not; 2: it cannot be checked.
By RFC 6962 (tree and proofs), RFC 8785 (JSON: whole numbers, names in ASCII), C2SP signed-note and tlog-checkpoint.
"""

import argparse
import base64
import csv
import hmac
import json
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT: Final = "rapport-dossier/1"
MANIFEST, NOTE, EVIDENCE, CONSENTS = "manifest.json", "manifest.note", "evidence.csv", "consents.jsonld"
ON_LEDGER: Final = ("consent.", "identity.linked", "identity.unlinked", "rights.")
PUT_DOWN_WITHIN: Final = timedelta(days=1)  # it takes seconds
STATES: Final = {"deferred": "dpv:ConsentRequestDeferred", "renewed": "dpv:RenewedConsentGiven"}  # not as the act
_bytes: Final = partial(base64.b64decode, validate=True)
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError, csv.Error)


Key = tuple[str, bytes, bytes]


class Unusable(ValueError):
    """What was given is not what it should be; the text says why."""


class Checkpoint(NamedTuple):
    """A ledger as it was once: its name, how many entries, and the root of their tree."""

    origin: str
    size: int
    root: bytes


def check(folder: Path, *, key: str, checkpoint: str | None = None) -> tuple[list[str], list[str]]:
    """What does not hold of a dossier, and what of it has no proof.

    By a public key as it is written, and the text of an earlier checkpoint; ValueError where they are none.
    """
    signer = read_key(key)
    earlier = None if checkpoint is None else checkpoint_of(signed_text(checkpoint, signer))
    try:
        if faults := _file_faults(folder, signer):
            return faults, []
        return _contents(folder, json.loads((folder / MANIFEST).read_bytes()), key=signer, earlier=earlier)
    except Unusable as error:
        return [f"the manifest is not signed with this key: {error}"], []
    except (OSError, *_UNREADABLE) as error:
        return [f"the dossier cannot be read: {type(error).__name__}"], []


def _file_faults(folder: Path, key: Key) -> list[str]:
    """The manifest is the one that was signed, and every file the one it lists."""
    raw = (folder / MANIFEST).read_bytes()
    if signed_text((folder / NOTE).read_text("utf-8"), key) != f"{FORMAT}\nsha256 {sha256(raw).hexdigest()}\n":
        return ["the manifest is not the one that was signed"]
    listed = json.loads(raw)["files"]
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    present = {name: path.read_bytes() for name, path in paths.items() if name not in (MANIFEST, NOTE)}
    told = {name: {"sha256": sha256(raw).hexdigest(), "bytes": len(raw)} for name, raw in present.items()}
    faults = [f"{name} is missing" for name in sorted(listed.keys() - told.keys())]
    faults += [f"{name} was added" for name in sorted(told.keys() - listed.keys())]
    return faults + [
        f"{name} was changed" for name in sorted(listed.keys() & told.keys()) if told[name] != listed[name]
    ]


def _contents(folder: Path, manifest: Any, *, key: Key, earlier: Checkpoint | None) -> tuple[list[str], list[str]]:
    """Rows, proofs and records say the same; whoever holds the signing key may have altered any of them."""
    with (folder / EVIDENCE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_position = {row["position"]: row for row in rows}
    proofs = {path.stem: path for path in sorted((folder / "proofs").glob("*.json"))}
    faults = (
        [] if len(by_position) == len(rows) == manifest["pieces"] else ["evidence.csv has too many rows, or too few"]
    )
    faults += _order_faults(rows)
    roots = dict[int, bytes]()
    for position, path in proofs.items():
        try:
            proof = json.loads(path.read_bytes())
            signed = _proven(proof, key=key, earlier=earlier)
            if roots.setdefault(signed.size, signed.root) != signed.root:
                faults.append(f"{path.name} is of another ledger than the proofs before it")
            if not _says_the_same(proof["entry"], by_position.get(position)):
                faults.append(f"{path.name} proves something else than the evidence says")
        except Unusable as error:
            faults.append(f"{path.name}: {error}")
        except _UNREADABLE:
            faults.append(f"{path.name}: it is no proof, or leads nowhere")
    if earlier is not None and not proofs:
        faults.append("there is no proof in it that could be held against the earlier checkpoint")
    faults += _record_faults(json.loads((folder / CONSENTS).read_bytes())["@graph"], by_position)
    bare = [row for row in rows if row["position"] not in proofs]
    if manifest["proven"]:
        faults += _bare_faults(bare, manifest)
    remark = f"{len(bare)} of {len(rows)} pieces have no proof: the signature alone holds them"
    return faults, [remark] if bare else []


def _proven(proof: Any, *, key: Key, earlier: Checkpoint | None) -> Checkpoint:
    """The checkpoint that a proof leads to; Unusable where it does not, or not on from the earlier one."""
    if proof["format"] != "rapport-ledger-proof/1":
        raise Unusable("it is no proof of this format")
    signed = checkpoint_of(signed_text(proof["checkpoint"], key))
    if signed.origin != key[0]:
        raise Unusable(f"the checkpoint is of another ledger than {key[0]}")
    entry = json.dumps(proof["entry"], ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    commitment = hmac.digest(bytes.fromhex(proof["salt"]), entry, "sha256").hex()
    leaf = sha256(b'\x00{"commitment":"%b","version":1}' % commitment.encode()).digest()
    path = [bytes.fromhex(each) for each in proof["inclusion"]]
    if root_over(leaf, index=proof["index"], size=signed.size, path=path) != signed.root:
        raise Unusable(f"the entry is not the one at leaf {proof['index']} of the tree that was signed")
    if earlier is None:
        return signed
    if earlier.origin != signed.origin or earlier.size not in (signed.size, proof["since"]):
        raise Unusable(f"it was not made to continue the checkpoint of {earlier.size} entries")
    steps = [] if earlier.size == signed.size else [bytes.fromhex(each) for each in proof["consistency"]]
    if not is_consistent(earlier, signed, steps):
        raise Unusable(f"the ledger does not continue the checkpoint of {earlier.size} entries: changed, or forked")
    return signed


def _order_faults(rows: Sequence[dict[str, str]]) -> Iterator[str]:
    """Of each identity the rows are in the order of the log."""
    for row, after in pairwise(rows):
        (epoch, _, offset), (next_epoch, _, next_offset) = (each["position"].split(".") for each in (row, after))
        if row["identity"] == after["identity"] and (int(epoch), int(offset)) >= (int(next_epoch), int(next_offset)):
            yield f"evidence.csv: {after['position']} is out of order"


def _says_the_same(entry: Any, row: Any) -> bool:
    content = entry["content"]
    occurred, received, source = content["occurred_at"], content["received_at"], content["source"]
    proven = {
        "position": entry["id"].removeprefix("fact:"),
        "type": entry["kind"],
        "identity": content["identity"],
        "event": content["event_key"],
        # As it is written for spreadsheets, which would take it for a formula.
        "source": f"'{source}" if source.startswith(("=", "+", "-", "@", "\t", "\r")) else source,
        "occurred_at": time_of(occurred),
        "effective_at": time_of(min(occurred, received)),
        "received_at": time_of(received),
        "purpose": content["body"].get("purpose", ""),
    }
    return row is not None and {**row, "said": json.loads(row["said"])} == {**proven, "said": content["body"]}


def _record_faults(records: Sequence[Any], rows: dict[str, dict[str, str]]) -> Iterator[str]:
    """There is one record for each act, and it says of whom, what, when and what for as the evidence does."""
    told, acts = {}, {}
    for record in records:
        status, purpose = record["dpv:hasConsentStatus"], record["dpv:hasProcess"]["dpv:hasPurpose"]["@id"]
        who, when = record["dpv:hasDataSubject"]["@id"], status["dpv:isIndicatedAtTime"]
        said = (who, record["rapport:event"], when, record["rapport:recordedAt"], purpose, status["@type"][0])
        told[record["dct:identifier"]] = said
    for position, row in rows.items():
        room, _, act = row["type"].partition(".")
        if room == "consent":
            who, purpose = f"rapport:subject:{row['identity']}", f"rapport:purpose:{row['purpose']}"
            state = STATES.get(act, f"dpv:Consent{act.capitalize()}")
            acts[position] = (who, row["event"], row["effective_at"], row["received_at"], purpose, state)
    if len(told) != len(records):
        yield f"{CONSENTS}: an act has several records"
    for position in sorted(told.keys() | acts.keys()):
        if told.get(position) != acts.get(position):
            yield f"{CONSENTS}: the record of {position} is not what the evidence says"


def _bare_faults(rows: Sequence[dict[str, str]], manifest: Any) -> Iterator[str]:
    """A piece without proof is named as such, and one that the ledger must have by now is none."""
    made_at = datetime.fromisoformat(manifest["made_at"])
    for row in rows:
        if row["position"] not in manifest["without_proof"]:
            yield f"{row['position']} has no proof, and is not among those without"
        elif (
            row["type"].startswith(ON_LEDGER) and made_at - datetime.fromisoformat(row["received_at"]) > PUT_DOWN_WITHIN
        ):
            yield f"{row['position']} has no proof, though the ledger had a day to take it"


def read_key(text: str) -> Key:
    """The name, id and 32 bytes of the public key in a text, `name+id+key`; ValueError where it is none."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _bytes(encoded)
    if raw[:1] != b"\x01" or len(raw) != 33 or sha256(name.encode() + b"\n" + raw).hexdigest()[:8] != key_id:
        raise Unusable("a key is written name+id+key; this is none, or damaged")
    return name, bytes.fromhex(key_id), raw[1:]


def signed_text(note: str, key: Key) -> str:
    """The text of a note that the key signed; ValueError otherwise."""
    own_name, own_id, public = key
    text, gap, rest = note.rpartition("\n\n")
    for line in rest.split("\n") if gap else ():
        name, _, encoded = line.removeprefix("— ").partition(" ")
        if name == own_name and (raw := _bytes(encoded))[:4] == own_id:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise Unusable(f"the signature of {name} does not fit the text") from None
            return f"{text}\n"
    raise Unusable(f"it is not signed with the key {own_name} ({own_id.hex()})")


def checkpoint_of(text: str) -> Checkpoint:
    """What the text of a note says as a checkpoint; Unusable where it says none."""
    lines = text.split("\n")
    if len(lines) < 4 or not re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1]) or len(_bytes(lines[2])) != 32:
        raise Unusable("it is no checkpoint")
    return Checkpoint(lines[0], int(lines[1]), _bytes(lines[2]))


def root_over(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of a tree of `size` leaves by the hash of one and its path (RFC 6962, 2.1.1); ValueError."""
    if size <= 1:
        if index or path or not size:
            raise ValueError("the path is not one of this tree")
        return leaf
    *rest, last = path
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        return _node(root_over(leaf, index=index, size=left, path=rest), last)
    return _node(last, root_over(leaf, index=index - left, size=size - left, path=rest))


def is_consistent(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> bool:
    """Tell whether the tree of the new checkpoint begins with that of the old one (RFC 6962, 2.1.2); ValueError."""

    def roots(old_size: int, size: int, path: Sequence[bytes], *, is_whole: bool) -> tuple[bytes, bytes]:
        if old_size == size:
            [same] = [old.root, *path] if is_whole else path
            return same, same
        *rest, last = path
        left = 1 << (size - 1).bit_length() - 1
        if old_size <= left:
            before, after = roots(old_size, left, rest, is_whole=is_whole)
            return before, _node(after, last)
        before, after = roots(old_size - left, size - left, rest, is_whole=False)
        return _node(last, before), _node(last, after)

    if old.size == 0:
        return old.root == sha256(b"").digest()
    return roots(old.size, new.size, path, is_whole=True) == (old.root, new.root)


def time_of(ms: int) -> str:
    """A time as the evidence writes it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def main() -> int:
    """Check the dossier that the command line names, and tell."""
    asked = argparse.ArgumentParser(description="Checks a dossier; needs nothing of whoever made it.")
    asked.add_argument("folder", type=Path)
    asked.add_argument("--key", required=True, help="the public key of the ledger, or a file with it")
    asked.add_argument("--checkpoint", type=Path, help="a checkpoint of the ledger that you hold from before")
    said = asked.parse_args()
    try:
        key = Path(said.key).read_text("utf-8") if Path(said.key).is_file() else said.key
        note = None if said.checkpoint is None else said.checkpoint.read_text("utf-8")
        faults, remarks = check(said.folder, key=key, checkpoint=note)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"it cannot be checked: {error}\n")
        return 2
    told = [*faults, *remarks]
    told += [] if note else ["without --checkpoint: whoever holds the signing key could have rewritten all of it"]
    told.append("it does not hold" if faults else "it holds: nothing changed, added or taken away since")
    sys.stdout.write("".join(f"{line}\n" for line in told))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
