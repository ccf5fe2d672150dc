"""Candidates: what a fact may give us reason to say. A pure function of the fact; all else is asked when it is due."""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from events.fact import Fact
from events.feedback import ComplaintFiled
from events.position import Position
from events.service import AlertRaised
from events.shape import Body
from events.transactions import Purchased
from outreach.conditions import Alerted, BoughtAgain, Condition, Unsolved
from outreach.triggers import Triggers

CANDIDATE_FORMAT: Final = 1
_MARK: Final = " "
"""Begins what stands for the id of a record on a topic; no id has a space."""


class Candidate(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An occasion to be looked at when it is `due` (ms). It holds ids and times only.

    `about` is the identity the fact was about, `record` the fact's case, order or alert, `at` when it took effect and
    `received` when it was received (ms), `key` its event key. The relay adds whom to address (`identity`), the `person`
    that is (the canonical pseudonym, which keys the record) and the hash of the `links` that make that person.
    """

    format: int
    trigger: str
    about: str
    record: str
    at: int
    due: int
    key: bytes
    identity: str = ""
    person: str = ""
    links: str = ""
    received: int = 0


class CandidateUndecodable(ValueError):
    """The bytes are not a candidate this version can read; the text says why, never what they held."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Candidate)


def candidates(fact: Fact, position: Position, triggers: Triggers) -> list[Candidate]:
    """What may follow from a fact at its position; nothing from one that was too old when it was received.

    The partitions of a person's identities are folded in any order: an older fact that comes late may be the one that
    was missing, so it gives a candidate as long as a fact it goes with could still be fresh.
    """
    found = []
    for trigger in triggers.by_event.get(fact.type, ()):
        at = fact.effective_at
        if not trigger.is_fresh(at + trigger.after_ms + trigger.back_ms, fact.received_at):
            continue
        if position.ordinal < trigger.active_from.get(position.partition, 0):
            continue
        record = _record(trigger.when, fact.body)
        if record is not None:
            due = at + trigger.after_ms
            received, key = fact.received_at, fact.event_key
            found.append(
                Candidate(CANDIDATE_FORMAT, trigger.id, fact.identity, record, at, due, key, received=received)
            )
    return found


def _record(when: Condition, body: Body) -> str | None:
    """The id of the record whose fact may set the condition off; None where it cannot."""
    match when, body:
        case Unsolved(), ComplaintFiled():
            return body.case_id
        case Alerted(), AlertRaised():
            is_meant = not when.kinds or body.kind in when.kinds
            return body.alert_id if is_meant and body.severity in when.severities else None
        case BoughtAgain(), Purchased():
            bought = {line.category for line in body.lines if line.category is not None}
            meant = bought.intersection(when.categories) if when.categories else bought
            return body.order_id if meant else None
        case _:
            return None


def marked(candidate: Candidate, *, key: bytes) -> Candidate:
    """The candidate as it goes on a topic, where no erasure reaches it: its record by a keyed hash.

    Marked once more it stays as it is.
    """
    if candidate.record.startswith(_MARK):
        return candidate
    return replace(candidate, record=_mark(candidate.about, candidate.record, key))


def recognised(candidate: Candidate, records: Iterable[str], *, key: bytes) -> Candidate:
    """The inverse of `marked`, where the record is one of these."""
    found = (each for each in records if _mark(candidate.about, each, key) == candidate.record)
    return replace(candidate, record=next(found, candidate.record))


def _mark(about: str, record: str, key: bytes) -> str:
    return _MARK + hashlib.blake2b(f"record\x00{about}\x00{record}".encode(), key=key, digest_size=16).hexdigest()


def encode_candidate(candidate: Candidate) -> bytes:
    """MessagePack, the format first."""
    return _encoder.encode(candidate)


def decode_candidate(raw: bytes | None) -> Candidate:
    """The inverse of `encode_candidate`; CandidateUndecodable on anything else."""
    try:
        candidate = _decoder.decode(raw or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CandidateUndecodable("the record is not a candidate") from error
    if candidate.format != CANDIDATE_FORMAT:
        raise CandidateUndecodable(f"candidate format {candidate.format} is not known")
    return candidate
