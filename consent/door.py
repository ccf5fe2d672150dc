"""The one door: may this person's data be used for this purpose? Closed by default.

A `Subject` is what the store's person read knows of one person; it can be made by `subject_of` alone, which only the
person read calls. `permits` answers with a reason either way, going by the matrix and the notices in force at the
moment it is asked about. It reads no clock and no store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

import msgspec

from consent.matrix import EVIDENCE_GRADES, Basis, Ground
from consent.purposes import OVERLAY_CLOSES, PURPOSES, Overlay, Purpose
from consent.rules import Rules
from consent.state import NEVER_ASKED, Cause, Grant, PurposeState, joined, last_grant, noes_of, outlives_noes
from consent.status import STATUS_OF_CAUSE, BasisStatus, ConsentStatus, basis_state, state_of

FRESH_FOR_MS: Final = 60_000
"""A reading older than this when it is asked (by `known_at`) is stale: a decision reads the person anew."""


class RefusalReason(StrEnum):
    """Why the door stays closed."""

    UNKNOWN_PURPOSE = "unknown_purpose"
    UNREADABLE = "unreadable"
    STALE = "stale"
    UNDER_ERASURE = "under_erasure"
    RESTRICTED = "restricted"
    OBJECTED = "objected"
    SUPPRESSED = "suppressed"
    MINOR = "minor"
    CONTRACT_ENDED = "contract_ended"
    NO_BASIS = "no_basis"
    HELD = "held"
    NEVER_ASKED = "never_asked"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    INVALIDATED = "invalidated"
    CONFLICTING = "conflicting"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    FORM = "form"
    EVIDENCE = "evidence"
    NEEDS = "needs"


class Because(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an allowance rests on.

    `relied_on` holds the event keys (8 bytes) of the grants, those of needed purposes too; `evidence` is the weakest
    grade among them. Both are empty or None for a basis that needs no act.
    """

    basis: Basis
    relied_on: tuple[bytes, ...] = ()
    evidence: str | None = None


class Allowed(msgspec.Struct, frozen=True, gc=False):
    """The door is open. True in a condition."""

    because: Because

    def __bool__(self) -> Literal[True]:
        return True


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The door stays closed. False in a condition; `detail` names purposes only, never data."""

    because: RefusalReason
    detail: str

    def __bool__(self) -> Literal[False]:
        return False


@dataclass(frozen=True, slots=True)
class Part:
    """One identity's say: the state of each purpose, and the purposes a withdrawal not yet folded holds closed."""

    identity: str
    states: Mapping[str, PurposeState]
    held: frozenset[str] = frozenset()


_SEAL: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One person as the door sees them; made by `subject_of`.

    `parts` are the verified identities; `restricting` identities are linked by half or probably only, so their noes
    and holds count and their grants do not. `jurisdiction` is EU, CN or None where it is unknown. Not `readable`:
    something stored about the person could not be read. `read_at` is when it was read (ms). `rules` are those of the
    installation.
    """

    parts: tuple[Part, ...]
    restricting: tuple[Part, ...]
    overlays: frozenset[Overlay]
    jurisdiction: str | None
    readable: bool
    read_at: int
    rules: Rules = field(repr=False)
    seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("a subject is made by the person read through consent.door.subject_of")


def subject_of(
    *,
    parts: tuple[Part, ...],
    restricting: tuple[Part, ...] = (),
    overlays: frozenset[Overlay] = frozenset(),
    jurisdiction: str | None = None,
    readable: bool = True,
    read_at: int,
    rules: Rules,
) -> Subject:
    """The subject of one person read; for the person read alone (a house test sees to it)."""
    return Subject(
        parts=parts,
        restricting=restricting,
        overlays=overlays,
        jurisdiction=jurisdiction,
        readable=readable and bool(parts),
        read_at=read_at,
        rules=rules,
        seal=_SEAL,
    )


def permits(subject: Subject, purpose: str, *, at: int, known_at: int) -> Allowed | Refused:
    """May the person's data be used for the purpose at that moment, going by what was known at `known_at`? Both in ms.

    A past `known_at` leaves out grants received later, and keeps every no: it can only refuse more than was refused
    then. The exact answer for a past day comes from history.
    """
    known = PURPOSES.get(purpose)
    if known is None:
        return Refused(RefusalReason.UNKNOWN_PURPOSE, "there is no such purpose")
    if not subject.readable:
        return Refused(RefusalReason.UNREADABLE, "what is stored about the person could not be read")
    if known_at - subject.read_at > FRESH_FOR_MS:
        return Refused(RefusalReason.STALE, f"the person was read more than {FRESH_FOR_MS // 1000} s before")
    return _answer(subject, known, at, known_at)


def status(subject: Subject, purpose: str, *, at: int, known_at: int) -> ConsentStatus | BasisStatus:
    """The state of what the purpose rests on for this person, in the terms of DPV; KeyError for an unknown purpose.

    It tells what happened; whether the purpose is open is what `permits` answers.
    """
    ground = subject.rules.matrix.ground(purpose, subject.jurisdiction, at=at, known_at=known_at)
    state = combined(subject, purpose)
    told = state_of(state, purpose=purpose, notices=subject.rules.notices, at=at, known_at=known_at)
    if ground is None:
        return told
    has_objected = told in STATUS_OF_CAUSE.values() or "objected" in subject.overlays
    ended = "contract_ended" in subject.overlays
    return basis_state(ground.basis, has_objected=has_objected, contract_ended=ended) or told


def _answer(subject: Subject, purpose: Purpose, at: int, known_at: int) -> Allowed | Refused:
    if subject.overlays and (closed := _closed(subject, purpose)) is not None:
        return closed
    answer = _on_its_own(subject, purpose, at, known_at)
    if isinstance(answer, Refused) or not purpose.needs:
        return answer
    reasons = [answer.because]
    for need in purpose.needs:
        needed = _answer(subject, PURPOSES[need], at, known_at)
        if isinstance(needed, Refused):
            return Refused(RefusalReason.NEEDS, f"{purpose.name} needs {need}: {needed.because}")
        reasons.append(needed.because)
    return Allowed(_together(reasons))


def _closed(subject: Subject, purpose: Purpose) -> Refused | None:
    for overlay, closes in OVERLAY_CLOSES.items():
        if overlay in subject.overlays and purpose.name in closes:
            return Refused(RefusalReason(overlay), f"{purpose.name} is closed to a person who is {overlay}")
    return None


def _on_its_own(subject: Subject, purpose: Purpose, at: int, known_at: int) -> Allowed | Refused:
    ground = subject.rules.matrix.ground(purpose.name, subject.jurisdiction, at=at, known_at=known_at)
    if ground is None:
        return Refused(RefusalReason.NO_BASIS, f"nothing said what {purpose.name} rests on")
    if ground.needs_no_act:
        return _FREELY[ground.basis]
    answer = _folded(subject, purpose.name, ground, at, known_at)
    # A hold goes a moment after its fact was folded: a no that stands is told as one.
    if _is_held(subject, purpose.name) and not (isinstance(answer, Refused) and answer.because in _A_NO):
        return Refused(RefusalReason.HELD, f"a no to {purpose.name} is on its way")
    return answer


def _is_held(subject: Subject, purpose: str) -> bool:
    for part in subject.parts:
        if purpose in part.held:
            return True
    return any(purpose in part.held for part in subject.restricting)


def _folded(subject: Subject, purpose: str, ground: Ground, at: int, known_at: int) -> Allowed | Refused:
    state = combined(subject, purpose)
    if ground.stands_until_a_no and state.no is None:
        return _FREELY[ground.basis]
    grant = last_grant(state, at=at, known_at=known_at)
    if grant is None or not outlives_noes(grant, state):
        return _said_no(state, grant, purpose)
    if grant.expires_at and at >= grant.expires_at:
        return Refused(RefusalReason.EXPIRED, f"the grant of {purpose} has expired")
    if subject.rules.notices.superseding(purpose, grant.notice, at=at, known_at=known_at) is not None:
        return Refused(RefusalReason.SUPERSEDED, f"what {purpose} means has changed since it was agreed to")
    if (lacking := _lacking(subject, grant, ground, purpose)) is not None:
        return lacking
    return Allowed(Because(basis=ground.basis, relied_on=(grant.key,), evidence=grant.evidence))


def _lacking(subject: Subject, grant: Grant, ground: Ground, purpose: str) -> Refused | None:
    """What a grant that stands does not have, and would need here."""
    if grant.form < ground.form:
        return Refused(RefusalReason.FORM, f"{purpose} takes {ground.form.name.lower()} consent here")
    if grant.evidence not in ground.grades:
        return Refused(RefusalReason.EVIDENCE, f"the proof of the grant of {purpose} is too weak")
    if not grant.by_guardian and "minor" in subject.overlays:
        return Refused(RefusalReason.MINOR, f"a minor's {purpose} takes a guardian's consent")
    return None


def combined(subject: Subject, purpose: str) -> PurposeState:
    """What all identities together said about a purpose: grants of the verified ones, noes of every one."""
    said = [part.states[purpose] for part in subject.parts if purpose in part.states]
    if subject.restricting:
        said += [noes_of(part.states[purpose]) for part in subject.restricting if purpose in part.states]
    if not said:
        return NEVER_ASKED
    return said[0] if len(said) == 1 else joined(said)


def _said_no(state: PurposeState, grant: Grant | None, purpose: str) -> Refused:
    if state.no is None:
        return Refused(RefusalReason.NEVER_ASKED, f"nobody agreed to {purpose}")
    if grant is not None and (grant.effective_at >= state.no.effective_at or grant.received_at >= state.no_received_at):
        return Refused(RefusalReason.CONFLICTING, f"a yes and a no to {purpose} contradict each other in time")
    return Refused(_REASON_OF[state.no.cause], f"a no to {purpose} stands")


_FREELY: Final[Mapping[Basis, Allowed]] = {
    basis: Allowed(Because(basis=basis)) for basis in ("contract", "legal_obligation", "legitimate_interest", "switch")
}
"""The answers that rest on no act."""
_REASON_OF: Final[Mapping[Cause, RefusalReason]] = {cause: RefusalReason[cause.name] for cause in Cause}
_A_NO: Final = frozenset(_REASON_OF.values())
"""Reasons that tell of a no on record."""


def _together(reasons: list[Because]) -> Because:
    keys = dict.fromkeys([key for reason in reasons for key in reason.relied_on])
    grades = [reason.evidence for reason in reasons]
    for weakest in EVIDENCE_GRADES:
        if weakest in grades:
            return Because(basis=reasons[0].basis, relied_on=tuple(keys), evidence=weakest)
    return Because(basis=reasons[0].basis, relied_on=tuple(keys))
