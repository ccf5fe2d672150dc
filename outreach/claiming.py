"""Claiming: the sender asks immediately before sending, and keeps to the answer.

A message is claimed once. Consent, deny-only facts, the occasion and the time are asked again; what was true when the
message was decided counts for nothing here.
"""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from msgspec import structs

from outreach.addressing import Addressing
from outreach.assessment import Assessment, reach_of
from outreach.decision import Claim, Decision
from outreach.guard import HoldUntil, Never, guard, unreachable
from outreach.occasions import occasion_of
from outreach.records import OutreachRecords, OutreachUnavailable
from recommender.canonical import canonical_json

TRIES: Final = 5
_SETTLED: Final = "already_claimed"
_UNWRITTEN: Final = frozenset({"quiet_hours", _SETTLED})
"""Answers that the decision does not keep: it is too early, or somebody was answered before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """Send it now, to the identity (a pseudonym) by the channel of the decision. True in a condition."""

    decision: Decision
    receipt: str

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class NoGo:
    """Do not send it. False in a condition.

    `decision` is None where there is no such message; `receipt` is None where nothing was settled, and asking again
    may help (`quiet_hours`) or not (`unknown`, `not_a_message`, `already_claimed`).
    """

    reason: str
    decision: Decision | None = None
    receipt: str | None = None

    def __bool__(self) -> Literal[False]:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Answers claims. `key` (16 to 64 secret bytes) makes receipts unguessable."""

    addressing: Addressing
    assessment: Assessment
    records: OutreachRecords
    key: bytes = field(repr=False)

    async def claim(self, outreach_id: str, *, at: int) -> Go | NoGo:
        """May the message be sent now (ms)? OutreachUnavailable, PersonUnavailable and store errors mean: not now."""
        for _ in range(TRIES):
            decision = await self.records.find(outreach_id)
            if decision is None:
                return NoGo(reason="unknown")
            if decision.verdict != "send":
                return NoGo(reason="not_a_message", decision=decision)
            if decision.claim is not None:
                return NoGo(reason=_SETTLED, decision=decision)
            reason = await self._against(decision, at)
            if reason is not None and reason in _UNWRITTEN:
                return NoGo(reason=reason, decision=decision)
            claim = self._claim(decision, reason, at)
            settled = structs.replace(decision, claim=claim)
            if await self.records.write(settled, before=decision) == "written":
                if claim.go:
                    return Go(decision=settled, receipt=claim.receipt)
                return NoGo(reason=claim.because, decision=settled, receipt=claim.receipt)
        raise OutreachUnavailable("the decision kept changing while it was claimed")

    async def _against(self, decision: Decision, at: int) -> str | None:
        """What stands against sending it now; None: nothing."""
        trigger = self.assessment.triggers.by_id.get(decision.trigger)
        candidate = decision.candidate
        if trigger is None or candidate is None or decision.service is None or decision.channel is None:
            return "withdrawn"
        view = await self.addressing.persons.read(decision.identity, now=at)
        told = view.service.messages.get(decision.id)
        if told is not None and (told.claimed is not None or told.sent is not None):
            # The log remembers an answer that the store of decisions has lost.
            return _SETTLED
        if at >= decision.valid_until:
            return "expired"
        # Only the channel that was decided on may carry it.
        trigger = trigger.model_copy(update={"channels": (decision.channel,)})
        if candidate.identity not in await self.addressing.recipients(candidate, now=at):
            return "nobody_to_address"
        if (closed := unreachable(reach_of(trigger, view, now=at))) is not None:
            return closed.because
        occasion = occasion_of(trigger, candidate, view, now=at)
        if occasion is None or decision.service not in self.assessment.catalogue.by_id:
            return "passed"
        about = replace(occasion, service=decision.service, at=decision.at)
        known = await self.records.decisions_of(view.members)
        # What is only reserved, as this one is, does not stand before a message that is about to go.
        others = [each for each in known if each.claim is not None]
        situation = self.assessment.situation(trigger, about, view, now=at, known=others)
        verdict = guard(situation, self.assessment.policy)
        return verdict.because if isinstance(verdict, HoldUntil | Never) else None

    def _claim(self, decision: Decision, reason: str | None, at: int) -> Claim:
        said = [decision.id, at, reason or "go", decision.basis, list(decision.grounds)]
        receipt = hashlib.blake2b(canonical_json(said), key=self.key, digest_size=16).hexdigest()
        return Claim(at=at, go=reason is None, because=reason or "go", receipt=receipt)
