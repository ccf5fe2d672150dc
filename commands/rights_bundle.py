"""All we hold of one person, in files the person can take elsewhere: JSON and CSV, and a list of them with hashes.

Other people and identities that are not verified as the person are told by kind, never by value.
"""

import csv
import io
import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from api.card import card_of
from consent.accesses import Access
from consent.csv_cells import harmless_cell
from consent.evidence import Evidence
from events.fact import Fact
from events.position import Position
from events.pseudonyms import PSEUDONYM
from events.shape import format_time
from outreach.decision import Decision as Message
from profiles.view import PersonView
from recommender.decisions import Decision as Suggestion

Json = dict[str, Any]

NOT_IN_HERE: Final = (
    "models: they hold counts and directions over all people who allow it, and no row of any person",
    "the ledger: its leaves say nothing by themselves; `rapport officer export` gives the proofs of the consents",
    "the log on the broker: the same events, for as long as it keeps them",
    "keyed hashes, caps and timers of messages to come: ids and times that stand for nothing else",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was found of a person, whose view this is; times are ms."""

    view: PersonView
    facts: Sequence[tuple[Position, Fact]]
    evidence: Sequence[Evidence]
    suggestions: Sequence[Suggestion]
    messages: Sequence[Message]
    looks: Sequence[Access]
    made_at: int


def bundle_of(held: Held) -> dict[str, bytes]:
    """The files of a bundle by name, the list of them last."""
    members = frozenset(held.view.members)
    card: Json = card_of(held.view, ref="", now=held.made_at).model_dump(mode="json", exclude={"ref"})
    events = [_event(position, fact, members) for position, fact in held.facts]
    consents = [_event(piece.position, piece.fact, members) for piece in held.evidence]
    files = {
        "profile.json": _json(_told(card, members)),
        "events.json": _json(events),
        "events.csv": _csv(events, ("at", "received_at", "type", "identity", "source", "position", "said")),
        "consents.json": _json({"standing": card["consents"], "acts_and_links": consents}),
        "consents.csv": _csv(consents, ("at", "received_at", "type", "identity", "source", "position", "said")),
        "suggestions.json": _json([_suggestion(each) for each in held.suggestions]),
        "messages.json": _json([_message(each) for each in held.messages]),
        "relations.json": _json(_relations(held.view, members)),
        "looks.json": _json([_look(each) for each in held.looks]),
    }
    manifest = {
        "made_at": format_time(held.made_at),
        "identities": [name.partition(":")[0] for name in held.view.members],
        "not_verified_and_left_out": [name.partition(":")[0] for name in held.view.person.restricting],
        "files": {name: {"sha256": sha256(raw).hexdigest(), "bytes": len(raw)} for name, raw in files.items()},
        "not_in_here": NOT_IN_HERE,
    }
    return {**files, "manifest.json": _json(manifest)}


def write_bundle(path: Path, files: Mapping[str, bytes]) -> None:
    """Write them into one ZIP, the same bytes for the same files."""
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as written:
        for name, raw in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            written.writestr(entry, raw)


def _event(position: Position, fact: Fact, members: Collection[str]) -> Json:
    return {
        "at": format_time(fact.occurred_at),
        "received_at": format_time(fact.received_at),
        "type": fact.type,
        "identity": _kind(fact.identity, members),
        "source": fact.source,
        "position": str(position),
        "said": _told(fact.body.model_dump(mode="json", exclude_defaults=True), members),
    }


def _relations(view: PersonView, members: Collection[str]) -> list[Json]:
    return [{"kind": each.kind, "to": _kind(each.other, members)} for each in view.relations]


def _suggestion(decision: Suggestion) -> Json:
    return {
        "decision": decision.id,
        "services": list(decision.services),
        "channel": decision.channel,
        "mode": decision.mode,
        "model": decision.model,
        "catalogue": decision.catalogue,
        "purpose": decision.purpose,
        "relied_on": [
            {"purpose": each.purpose, "basis": each.basis, "events": list(each.evidence)} for each in decision.grounds
        ],
        "valid_until": format_time(decision.valid_until),
    }


def _message(decision: Message) -> Json:
    return {
        "decision": decision.id,
        "trigger": decision.trigger,
        "at": format_time(decision.at),
        "verdict": decision.verdict,
        "because": decision.because,
        "channel": decision.channel,
        "service": decision.service,
        "consents_relied_on": list(decision.grounds),
        "claimed": None if decision.claim is None else {"go": decision.claim.go, "because": decision.claim.because},
    }


def _look(access: Access) -> Json:
    return {"at": format_time(access.at), "role": access.role, "what": access.what, "for": access.purpose}


def _told(value: Any, members: Collection[str]) -> Any:
    """The value, in which pseudonyms and references are told by their kind."""
    if isinstance(value, dict):
        return {name: _told(each, members) for name, each in value.items() if name not in {"ref", "facet"}}
    if isinstance(value, list | tuple):
        return [_told(each, members) for each in value]
    return _kind(value, members) if isinstance(value, str) and PSEUDONYM.fullmatch(value) else value


def _kind(identity: str, members: Collection[str]) -> str:
    kind = identity.partition(":")[0]
    return f"{kind} (this person)" if identity in members else f"{kind} (somebody or something else)"


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _csv(rows: Sequence[Json], columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> str:
    return harmless_cell(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))
