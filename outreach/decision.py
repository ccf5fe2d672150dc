"""A decision as it is kept, with its reason, and the ids that make the same decision the same."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from outreach.candidates import Candidate
from outreach.triggers import Policy
from recommender.canonical import canonical_json
from recommender.uplift import drawn

DECISION_FORMAT: Final = 1

_ID = re.compile(r"([0-9]{1,5})-[0-9a-f]{32}")

VerdictName = Literal["send", "hold", "never"]
Arm = Literal["treated", "held_out"]


class Claim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the sender was told immediately before sending, and the receipt of that."""

    at: int
    go: bool
    because: str
    receipt: str


class Decision(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One decision about one identity. Times are ms.

    `occasion` is a keyed hash that recognises the same occasion under any identity of the person. Where the door
    refused, nothing else than ids, times and the refusal is kept. `candidate` is there while something may still
    follow; `grounds` are the event keys (hex) of the consents relied on; `counts` tells whether it takes of the cap.
    """

    format: int
    id: str
    occasion: str
    trigger: str
    identity: str
    at: int
    verdict: VerdictName
    because: str
    detail: str = ""
    until: int = 0
    channel: str | None = None
    service: str | None = None
    basis: str | None = None
    grounds: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    sensitive: bool = False
    count: int = 0
    valid_until: int = 0
    counts: bool = False
    arm: Arm | None = None
    published: bool = False
    claim: Claim | None = None
    candidate: Candidate | None = None

    @property
    def takes_of_cap(self) -> bool:
        """Tell whether it is a message that was, or may still be, sent."""
        return self.counts and self.verdict == "send" and (self.claim is None or self.claim.go)


def decision_id(*, key: bytes, trigger: str, person: str, occasion: str, partition: int) -> str:
    """Names a decision: the partition of the identity it is kept with, and a keyed hash."""
    return f"{partition}-{_hash(key, 'decision', trigger, person, occasion)}"


def occasion_hash(*, key: bytes, trigger: str, occasion: str) -> str:
    """Recognises an occasion whoever it is asked about, without telling what it was."""
    return _hash(key, "occasion", trigger, occasion)


def partition_in(outreach_id: str, *, partitions: int) -> int | None:
    """The partition a decision is kept in; None for what is no id of a decision."""
    found = _ID.fullmatch(outreach_id)
    if found is None:
        return None
    return partition if (partition := int(found[1])) < partitions else None


def arm_of(known: Iterable[Decision], *, canonical: str, policy: Policy) -> Arm:
    """Whether the person belongs to those who hear nothing; frozen at their first exposure, whatever is linked later.

    Chance is a hash of an identity: that of the first exposure, at first the canonical one.
    """
    exposed = [decision for decision in known if decision.arm is not None]
    if exposed:
        return min(exposed, key=lambda decision: (decision.at, decision.id)).arm or "treated"
    return "held_out" if drawn(canonical, use=b"hold-out") < policy.hold_out_share else "treated"


def _hash(key: bytes, *parts: str) -> str:
    return hashlib.blake2b(canonical_json(list(parts)), key=key, digest_size=16).hexdigest()
