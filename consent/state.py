"""The state of consent: a function of the set of acts, never of the order in which they arrived.

Per purpose it keeps the latest no in each of the two times, the latest few grants, and when the person was last asked.
A grant counts only if it is strictly later than every no in *both* times: when it took effect, and when we heard of it.
Where the two orders disagree, or tie, the answer is no: the safe mistake is to personalise too little. Of the grants
the last one in effect alone is asked, before any no is looked at, so that one more no can never open anything.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from itertools import pairwise
from typing import Final

import msgspec

from consent.purposes import ALWAYS_OPEN
from events import acts
from events.fact import Fact

GRANTS_MAX: Final = 8
"""Grants kept per purpose, the last in effect; forgetting an older one can only refuse."""


class Form(IntEnum):
    """How clearly somebody agreed; a clearer form does wherever a weaker one is asked for. Numbers are stored."""

    IMPLIED = 0
    EXPRESSED = 1
    EXPLICIT = 2
    SEPARATE = 3
    WRITTEN = 4


class Cause(IntEnum):
    """Who closed the purpose, and how. Numbers are stored."""

    REFUSED = 0
    WITHDRAWN = 1
    REVOKED = 2
    INVALIDATED = 3


class Grant(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False, forbid_unknown_fields=True):
    """An act that allows. Times in ms; `expires_at` 0 means never; `key` is the event key of the act.

    `notice` is what was shown, as `id/version`, empty where that was not said. `by_guardian`: somebody agreed for a
    minor. `renewed`: it was agreed to again.
    """

    effective_at: int
    received_at: int
    expires_at: int
    key: bytes
    evidence: str = "recorded"
    notice: str = ""
    form: Form = Form.EXPRESSED
    by_guardian: bool = False
    renewed: bool = False


class No(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False, forbid_unknown_fields=True):
    """An act that closes."""

    effective_at: int
    received_at: int
    key: bytes
    cause: Cause


class Asked(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False, forbid_unknown_fields=True):
    """The person was asked, and maybe put the question aside (`deferred`); nothing is allowed by that."""

    effective_at: int
    received_at: int
    key: bytes
    deferred: bool


class PurposeState(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """What is on record for one purpose. `no_received_at` is the latest receipt of any no, -1 for none."""

    grants: tuple[Grant, ...] = ()
    no: No | None = None
    no_received_at: int = -1
    asked: Asked | None = None


NEVER_ASKED: Final = PurposeState()

_CAUSES: Final[Mapping[str, Cause]] = {
    acts.ConsentRefused.event_type: Cause.REFUSED,
    acts.ConsentWithdrawn.event_type: Cause.WITHDRAWN,
    acts.ConsentRevoked.event_type: Cause.REVOKED,
    acts.ConsentInvalidated.event_type: Cause.INVALIDATED,
}
_FORMS: Final[Mapping[str, Form]] = {form.name.lower(): form for form in Form}


def with_act(state: PurposeState, fact: Fact, act: acts.ConsentAct) -> PurposeState:
    """The state once the act in the fact is known."""
    match act:
        case acts.Granting():
            return with_grant(
                state,
                Grant(
                    effective_at=fact.effective_at,
                    received_at=fact.received_at,
                    expires_at=act.expires_at or 0,
                    key=fact.event_key,
                    evidence=act.evidence,
                    notice=act.notice or "",
                    form=_FORMS[act.form],
                    by_guardian=act.by == "guardian",
                    renewed=fact.type == acts.ConsentRenewed.event_type,
                ),
            )
        case acts.Closing():
            return with_no(state, No(fact.effective_at, fact.received_at, fact.event_key, _CAUSES[fact.type]))
        case _:
            deferred = fact.type == acts.ConsentDeferred.event_type
            return with_asked(state, Asked(fact.effective_at, fact.received_at, fact.event_key, deferred))


def with_grant(state: PurposeState, grant: Grant) -> PurposeState:
    """The state once the grant is known."""
    return joined((state, PurposeState(grants=(grant,))))


def with_no(state: PurposeState, no: No) -> PurposeState:
    """The state once the no is known."""
    return joined((state, PurposeState(no=no, no_received_at=no.received_at)))


def with_asked(state: PurposeState, asked: Asked) -> PurposeState:
    """The state once it is known that the person was asked."""
    return joined((state, PurposeState(asked=asked)))


def joined(states: Iterable[PurposeState]) -> PurposeState:
    """The state of the union of all acts: used for one more act as well as for a merged person."""
    grants: list[Grant] = []
    no: No | None = None
    asked: Asked | None = None
    no_received_at = -1
    for state in states:
        grants += state.grants
        if state.no is not None and (no is None or state.no > no):
            no = state.no
        if state.asked is not None and (asked is None or state.asked > asked):
            asked = state.asked
        no_received_at = max(no_received_at, state.no_received_at)
    if len(grants) > 1:
        # Sorted, what is the same stands side by side; a set would look at every field of each.
        grants.sort(reverse=True)
        grants = [grants[0], *(grant for last, grant in pairwise(grants) if grant != last)][:GRANTS_MAX]
    return PurposeState(tuple(grants), no, no_received_at, asked)


def noes_of(state: PurposeState) -> PurposeState:
    """What an identity that is not verified has a say in: its noes alone."""
    return PurposeState(no=state.no, no_received_at=state.no_received_at)


def last_grant(state: PurposeState, *, at: int, known_at: int | None = None) -> Grant | None:
    """The last yes in effect at that moment (ms), by the time it took effect; None: nobody ever agreed.

    It alone counts, so that "yes, until May" ends an earlier "yes". `known_at` leaves out what was received later.
    Of grants with the same two times the one that ends first is taken.
    """
    last: Grant | None = None
    for grant in state.grants:
        if grant.effective_at <= at and (known_at is None or grant.received_at <= known_at):
            last = grant if last is None or _prevails(grant, over=last) else last
    return last


def _prevails(grant: Grant, *, over: Grant) -> bool:
    if grant.effective_at != over.effective_at:
        return grant.effective_at > over.effective_at
    if grant.received_at != over.received_at:
        return grant.received_at > over.received_at
    return _weakness(grant) < _weakness(over)


def _weakness(grant: Grant) -> tuple[bool, int, bytes, Grant]:
    return grant.expires_at == 0, grant.expires_at, grant.key, grant


def outlives_noes(grant: Grant, state: PurposeState) -> bool:
    """Tell whether the grant is strictly later than every no, both when it took effect and when we heard of it."""
    return state.no is None or (grant.effective_at > state.no.effective_at and grant.received_at > state.no_received_at)


def standing_grant(state: PurposeState, *, at: int, known_at: int | None = None) -> Grant | None:
    """The grant that allows the purpose at that moment (ms), if there is one."""
    grant = last_grant(state, at=at, known_at=known_at)
    if grant is None or not outlives_noes(grant, state):
        return None
    return grant if grant.expires_at == 0 or at < grant.expires_at else None


def opens(states: Mapping[str, PurposeState], purpose: str, *, received_at: int) -> bool:
    """Tell whether a fact received then may be folded into the purpose's section.

    Contract and legal obligation always fold; every other section opens by consent acts alone. Jurisdiction, notices,
    the form of a consent and other bases restrict at read.
    """
    if purpose in ALWAYS_OPEN:
        return True
    return standing_grant(states.get(purpose, NEVER_ASKED), at=received_at) is not None
