"""The one door: may this person's data be used for this purpose? Closed by default.

A `Subject` is what the store's person read knows of one person; it can be made by `subject_of` alone, which only the
person read calls. `permits` answers with a reason either way. It reads no clock and no store.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from consent.purposes import OVERLAY_REFUSES, PURPOSES, Basis, Overlay, Purpose, basis_of
from consent.state import NEVER_ASKED, Grant, PurposeState, joined, last_grant, outlives_noes

FRESH_FOR_MS: Final = 60_000
"""A reading older than this when it is asked (by `known_at`) is stale: a decision reads the person anew."""

EVIDENCE_GRADES: Final = ("demo", "imported", "recorded")
"""How an act is proven, weakest first."""


class RefusalReason(StrEnum):
    """Why the door stays closed."""

    UNKNOWN_PURPOSE = "unknown_purpose"
    UNREADABLE = "unreadable"
    STALE = "stale"
    RESTRICTED = "restricted"
    SUPPRESSED = "suppressed"
    MINOR = "minor"
    HELD = "held"
    NEVER_ASKED = "never_asked"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    CONFLICTING = "conflicting"
    EXPIRED = "expired"
    NEEDS = "needs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """What an allowance rests on.

    `relied_on` holds the event keys (8 bytes) of the grants, those of needed purposes too; `evidence` is the weakest
    grade among them. Both are empty or None for a basis that needs no act.
    """

    basis: Basis
    relied_on: tuple[bytes, ...] = ()
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """The door is open. True in a condition."""

    because: Because

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Refused:
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
    something stored about the person could not be read. `read_at` is when it was read (ms).
    """

    parts: tuple[Part, ...]
    restricting: tuple[Part, ...]
    overlays: frozenset[Overlay]
    jurisdiction: str | None
    readable: bool
    read_at: int
    seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("a subject is made by the person read through consent.door.subject_of")

    def everyone(self) -> Iterator[Part]:
        """All identities that can close a door."""
        yield from self.parts
        yield from self.restricting


def subject_of(
    *,
    parts: tuple[Part, ...],
    restricting: tuple[Part, ...] = (),
    overlays: frozenset[Overlay] = frozenset(),
    jurisdiction: str | None = None,
    readable: bool = True,
    read_at: int,
) -> Subject:
    """The subject of one person read; for the person read alone (a house test sees to it)."""
    return Subject(
        parts=parts,
        restricting=restricting,
        overlays=overlays,
        jurisdiction=jurisdiction,
        readable=readable and bool(parts),
        read_at=read_at,
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
    closed = _closed(subject, known)
    return _with_needs(subject, known, at=at, known_at=known_at) if closed is None else closed


def _closed(subject: Subject, purpose: Purpose) -> Refused | None:
    for overlay in ("restricted", "suppressed", "minor"):
        if overlay in subject.overlays and OVERLAY_REFUSES[overlay](purpose.name):
            return Refused(RefusalReason(overlay), f"{purpose.name} is closed to a person who is {overlay}")
    return None


def _with_needs(subject: Subject, purpose: Purpose, *, at: int, known_at: int) -> Allowed | Refused:
    answer = _on_its_own(subject, purpose, at=at, known_at=known_at)
    if isinstance(answer, Refused) or not purpose.needs:
        return answer
    reasons = [answer.because]
    for need in purpose.needs:
        needed = permits(subject, need, at=at, known_at=known_at)
        if isinstance(needed, Refused):
            return Refused(RefusalReason.NEEDS, f"{purpose.name} needs {need}: {needed.because}")
        reasons.append(needed.because)
    return Allowed(_together(reasons))


def _on_its_own(subject: Subject, purpose: Purpose, *, at: int, known_at: int) -> Allowed | Refused:
    basis = basis_of(purpose, subject.jurisdiction)
    if basis in ("contract", "legal_obligation"):
        return Allowed(Because(basis=basis))
    answer = _folded(subject, purpose, basis, at=at, known_at=known_at)
    # A hold goes a moment after its fact was folded: a no that stands is told as one.
    if any(purpose.name in part.held for part in subject.everyone()) and not _is_a_no(answer):
        return Refused(RefusalReason.HELD, f"a no to {purpose.name} is on its way")
    return answer


def _folded(subject: Subject, purpose: Purpose, basis: Basis, *, at: int, known_at: int) -> Allowed | Refused:
    state = combined(subject, purpose.name)
    if basis == "legitimate_interest" and state.no is None:
        return Allowed(Because(basis=basis))
    grant = last_grant(state, at=at, known_at=known_at)
    if grant is None or not outlives_noes(grant, state):
        return _said_no(state, grant, purpose.name)
    if grant.expires_at and at >= grant.expires_at:
        return Refused(RefusalReason.EXPIRED, f"the grant of {purpose.name} has expired")
    return Allowed(Because(basis=basis, relied_on=(grant.key,), evidence=grant.evidence))


def _is_a_no(answer: Allowed | Refused) -> bool:
    return isinstance(answer, Refused) and answer.because in {RefusalReason.REFUSED, RefusalReason.WITHDRAWN}


def combined(subject: Subject, purpose: str) -> PurposeState:
    """What all identities together said about a purpose: grants of the verified ones, noes of every one."""
    if len(subject.parts) == 1 and not subject.restricting:
        return subject.parts[0].states.get(purpose, NEVER_ASKED)
    said = [part.states.get(purpose, NEVER_ASKED) for part in subject.parts]
    noes = [part.states.get(purpose, NEVER_ASKED) for part in subject.restricting]
    return joined((*said, *(PurposeState(no=state.no, no_received_at=state.no_received_at) for state in noes)))


def _said_no(state: PurposeState, grant: Grant | None, purpose: str) -> Refused:
    if state.no is None:
        return Refused(RefusalReason.NEVER_ASKED, f"nobody agreed to {purpose}")
    if grant is not None and (grant.effective_at >= state.no.effective_at or grant.received_at >= state.no_received_at):
        return Refused(RefusalReason.CONFLICTING, f"a yes and a no to {purpose} contradict each other in time")
    reason = RefusalReason.WITHDRAWN if state.no.withdrawn else RefusalReason.REFUSED
    return Refused(reason, f"a no to {purpose} stands")


def _together(reasons: list[Because]) -> Because:
    keys = tuple(dict.fromkeys(key for reason in reasons for key in reason.relied_on))
    grades = [reason.evidence for reason in reasons if reason.evidence is not None]
    return Because(basis=reasons[0].basis, relied_on=keys, evidence=min(grades, key=_grade, default=None))


def _grade(evidence: str) -> int:
    return EVIDENCE_GRADES.index(evidence) if evidence in EVIDENCE_GRADES else -1
