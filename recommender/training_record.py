"""The record of a training: what it counted and how far it read, signed; and whether its members may still be used.

A record names nobody. Whether somebody left since is found by asking the door again about the log as it was then: the
record says how far that went, so no list of members has to be kept, sealed or erased.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from consent.ledger_note import NoteInvalid, Signer, Verifier, open_note, sign_note
from consent.purposes import TRAIN
from consent.rules import Rules
from events.fact import Fact
from events.position import Position
from profiles.permitted import Facts, Permit, permit_at
from recommender.canonical import canonical_json

SIGNATURE: Final = "signature"
Ends = Mapping[str, int]
"""`epoch.partition` -> the last offset read."""


class Bounded:
    """Facts as they were when first read to the end: what is written meanwhile is not seen by a later reading."""

    def __init__(self, facts: Facts, *, ends: Ends | None = None) -> None:
        self._facts = facts
        self.ends = ends

    def __call__(self) -> Iterator[tuple[Position, Fact]]:
        if self.ends is not None:
            yield from ((position, fact) for position, fact in self._facts() if is_within(position, self.ends))
            return
        ends: dict[str, int] = {}
        for position, fact in self._facts():
            ends[_stretch(position)] = max(position.offset, ends.get(_stretch(position), -1))
            yield position, fact
        self.ends = ends


def is_within(position: Position, ends: Ends) -> bool:
    """Tell whether a position lies before the ends."""
    return position.offset <= ends.get(_stretch(position), -1)


@dataclass(frozen=True, slots=True)
class Left:
    """How many of those whose facts were allowed then do not allow as much now; or why that cannot be told."""

    people: int
    unknown: str | None = None

    def __bool__(self) -> bool:
        return bool(self.people) or self.unknown is not None

    def __str__(self) -> str:
        return self.unknown or f"{self.people} of those it was trained on have left since"


def left_since(
    facts: Facts,
    record: Mapping[str, Any] | None,
    *,
    policy: str,
    at: int,
    rules: Rules,
    held: Mapping[str, frozenset[str]],
    policy_now: str,
) -> Left:
    """Who left since the training of a record, at `at` (ms): withdrew, was erased, or let an agreement run out.

    Somebody left too who closed one of the purposes under which fields of theirs were read, even if it is open again
    now. `policy` is the hash of the rules the model was trained by; under others nobody's permission then can be found.
    """
    if record is None or not isinstance(record.get("ends"), dict) or not isinstance(record.get("snapshot"), int):
        return Left(0, "no record of its training tells how far that read")
    if policy != policy_now:
        return Left(0, "the consent rules are others than those it was trained by")
    ends: Ends = record["ends"]
    then = permit_at(Bounded(facts, ends=ends), purpose=TRAIN, at=record["snapshot"], rules=rules, held={})
    now = permit_at(facts, purpose=TRAIN, at=at, rules=rules, held=held)
    closed = {
        identity
        for (identity, purpose), position in now.closed.items()
        if purpose in _fields(then, identity) - {TRAIN} and not is_within(position, ends)
    }
    # What an erased person allowed is not in history any more, so it cannot be told whether they were among them.
    erased = {identity for identity, (position, _) in now.erased.items() if not is_within(position, ends)}
    gone = {identity for identity in then.person_of if not _fields(then, identity) <= _fields(now, identity)}
    return Left(len({then.person_of.get(identity, identity) for identity in closed | erased | gone}))


def signed(record: Mapping[str, Any], signers: Sequence[Signer]) -> dict[str, Any]:
    """The record with a note that signs its hash; as it is where nobody signs."""
    return {**record, SIGNATURE: sign_note(_text(record), signers)} if signers else dict(record)


def is_signed(record: Mapping[str, Any], verifier: Verifier) -> bool:
    """Tell whether the key's owner signed the record as it is."""
    try:
        return open_note(str(record.get(SIGNATURE, "")), verifier) == _text(record)
    except NoteInvalid:
        return False


def _fields(permit: Permit, identity: str) -> frozenset[str]:
    """The purposes under which facts of the identity may be read; none at all where they may not be trained on."""
    person = permit.person_of.get(identity)
    return frozenset() if person is None else permit.fields[person] | {TRAIN}


def _stretch(position: Position) -> str:
    return f"{position.epoch}.{position.partition}"


def _text(record: Mapping[str, Any]) -> str:
    own = {name: value for name, value in record.items() if name != SIGNATURE}
    return f"rapport training record\n{own.get('artifact', '')}\n{sha256(canonical_json(own)).hexdigest()}\n"
