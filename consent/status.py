"""What state a consent, or another basis, is in: the states of the W3C Data Privacy Vocabulary, by a pure function."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from consent.matrix import Basis
from consent.notices import Notices
from consent.state import Cause, PurposeState, last_grant, outlives_noes


class ConsentStatus(StrEnum):
    """A consent's state. Only `given` and `renewed` let anything be done."""

    UNKNOWN = "unknown"
    REQUESTED = "requested"
    DEFERRED = "deferred"
    GIVEN = "given"
    RENEWED = "renewed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    INVALIDATED = "invalidated"


class BasisStatus(StrEnum):
    """The state of a basis that is no consent."""

    CONTRACT_ACTIVE = "contract_active"
    CONTRACT_ENDED = "contract_ended"
    OBLIGATION_ONGOING = "obligation_ongoing"
    NOT_OBJECTED = "not_objected"
    OBJECTED = "objected"


VALID: Final = frozenset({ConsentStatus.GIVEN, ConsentStatus.RENEWED})

STATUS_OF_CAUSE: Final[Mapping[Cause, ConsentStatus]] = {cause: ConsentStatus[cause.name] for cause in Cause}


def state_of(state: PurposeState, *, purpose: str, notices: Notices, at: int, known_at: int) -> ConsentStatus:
    """The state of the consent to a purpose at that moment (ms), going by what was known at `known_at`.

    A no is told as long as no later yes stands, also where the times of a yes and a no contradict each other. Being
    asked is told only of somebody who never decided.
    """
    grant = last_grant(state, at=at, known_at=known_at)
    if state.no is not None and (grant is None or not outlives_noes(grant, state)):
        return STATUS_OF_CAUSE[state.no.cause]
    if grant is None:
        return _asked(state, at=at, known_at=known_at)
    if grant.expires_at and at >= grant.expires_at:
        return ConsentStatus.EXPIRED
    if notices.superseding(purpose, grant.notice, at=at, known_at=known_at) is not None:
        return ConsentStatus.SUPERSEDED
    return ConsentStatus.RENEWED if grant.renewed else ConsentStatus.GIVEN


def _asked(state: PurposeState, *, at: int, known_at: int) -> ConsentStatus:
    asked = state.asked
    if asked is None or asked.effective_at > at or asked.received_at > known_at:
        return ConsentStatus.UNKNOWN
    return ConsentStatus.DEFERRED if asked.deferred else ConsentStatus.REQUESTED


def basis_state(basis: Basis, *, has_objected: bool, contract_ended: bool = False) -> BasisStatus | None:
    """The state of a basis that is no consent; None for a consent."""
    match basis:
        case "contract":
            return BasisStatus.CONTRACT_ENDED if contract_ended else BasisStatus.CONTRACT_ACTIVE
        case "legal_obligation":
            return BasisStatus.OBLIGATION_ONGOING
        case "legitimate_interest" | "switch":
            return BasisStatus.OBJECTED if has_objected else BasisStatus.NOT_OBJECTED
        case "consent":
            return None
