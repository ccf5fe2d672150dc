"""The state of consent: a function of the set of acts, never of the order in which they arrived.

Per purpose it keeps the latest no in each of the two times, and the latest few grants. A grant counts only if it is
strictly later than every no in *both* times: when it took effect, and when we heard of it. Where the two orders
disagree, or tie, the answer is no: the safe mistake is to personalise too little. Of the grants the last one in effect
alone is asked, before any no is looked at, so that one more no can never open anything.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from consent.purposes import Purpose

GRANTS_MAX: Final = 8
"""Grants kept per purpose, the last in effect; forgetting an older one can only refuse."""


class Grant(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False, forbid_unknown_fields=True):
    """An act that allows. Times in ms; `expires_at` 0 means never; `key` is the event key of the act."""

    effective_at: int
    received_at: int
    expires_at: int
    key: bytes
    evidence: str = "recorded"


class No(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False, forbid_unknown_fields=True):
    """An explicit no: refused or withdrawn."""

    effective_at: int
    received_at: int
    key: bytes
    withdrawn: bool


class PurposeState(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """What is on record for one purpose. `no_received_at` is the latest receipt of any no, -1 for none."""

    grants: tuple[Grant, ...] = ()
    no: No | None = None
    no_received_at: int = -1


NEVER_ASKED: Final = PurposeState()


def with_grant(state: PurposeState, grant: Grant) -> PurposeState:
    """The state once the grant is known."""
    return joined((state, PurposeState(grants=(grant,))))


def with_no(state: PurposeState, no: No) -> PurposeState:
    """The state once the no is known."""
    return joined((state, PurposeState(no=no, no_received_at=no.received_at)))


def joined(states: Iterable[PurposeState]) -> PurposeState:
    """The state of the union of all acts: used for one more act as well as for a merged person."""
    grants: set[Grant] = set()
    no: No | None = None
    no_received_at = -1
    for state in states:
        grants.update(state.grants)
        no = state.no if no is None or (state.no is not None and state.no > no) else no
        no_received_at = max(no_received_at, state.no_received_at)
    return PurposeState(
        grants=tuple(sorted(grants, reverse=True)[:GRANTS_MAX]),
        no=no,
        no_received_at=no_received_at,
    )


def last_grant(state: PurposeState, *, at: int, known_at: int | None = None) -> Grant | None:
    """The last yes in effect at that moment (ms), by the time it took effect; None: nobody ever agreed.

    It alone counts, so that "yes, until May" ends an earlier "yes". `known_at` leaves out what was received later.
    Of grants with the same two times the one that ends first is taken.
    """
    in_effect = [
        grant
        for grant in state.grants
        if grant.effective_at <= at and (known_at is None or grant.received_at <= known_at)
    ]
    if not in_effect:
        return None
    last = max(in_effect)
    tied = [g for g in in_effect if (g.effective_at, g.received_at) == (last.effective_at, last.received_at)]
    return min(tied, key=lambda grant: (grant.expires_at == 0, grant.expires_at, grant.key))


def outlives_noes(grant: Grant, state: PurposeState) -> bool:
    """Tell whether the grant is strictly later than every no, both when it took effect and when we heard of it."""
    return state.no is None or (grant.effective_at > state.no.effective_at and grant.received_at > state.no_received_at)


def standing_grant(state: PurposeState, *, at: int, known_at: int | None = None) -> Grant | None:
    """The grant that allows the purpose at that moment (ms), if there is one."""
    grant = last_grant(state, at=at, known_at=known_at)
    if grant is None or not outlives_noes(grant, state):
        return None
    return grant if grant.expires_at == 0 or at < grant.expires_at else None


def opens(states: dict[str, PurposeState], purpose: Purpose, *, received_at: int) -> bool:
    """Tell whether a fact received then may be folded into the purpose's section.

    Contract and legal obligation always fold; every other section opens by consent acts alone. Jurisdiction,
    notices and other bases restrict at read.
    """
    if set(purpose.basis.values()) <= {"contract", "legal_obligation"}:
        return True
    return standing_grant(states.get(purpose.name, NEVER_ASKED), at=received_at) is not None
