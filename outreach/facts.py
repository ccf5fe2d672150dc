"""What outreach writes on the log: a breach, a claim, a message sent. The same occurrence is the same event."""

from typing import Final

from events.fact import Fact
from events.outreach import OutreachClaimed, OutreachSent
from events.own_facts import fact_of_occurrence
from events.service import CaseEscalated
from events.shape import Body
from outreach.candidates import Candidate
from outreach.decision import Decision
from outreach.triggers import Trigger

OWN_SOURCE: Final = "rapport.outreach"
"""The source of these facts; no door admits it from outside."""


def breach_fact(trigger: Trigger, candidate: Candidate, *, now: int) -> Fact | None:
    """A case went unsolved for too long: it is escalated, as of the moment that was so. None without a breach."""
    if trigger.breach is None:
        return None
    body = CaseEscalated(case_id=candidate.record, to=trigger.breach)
    return _fact(candidate.about, body, at=candidate.at + trigger.after_ms, now=now, name=candidate.key.hex())


def claimed_fact(decision: Decision, *, now: int) -> Fact:
    """The sender asked, and was answered as the decision's claim says; ValueError without one."""
    if decision.claim is None:
        raise ValueError("nobody has claimed this decision")
    body = OutreachClaimed(outreach=decision.id, go=decision.claim.go, channel=decision.channel)
    return _fact(decision.identity, body, at=decision.claim.at, now=now, name=decision.id)


def sent_fact(decision: Decision, *, at: int, now: int) -> Fact:
    """The message left for the person at `at` (ms)."""
    body = OutreachSent(
        outreach=decision.id, trigger=decision.trigger, service=decision.service, channel=decision.channel
    )
    return _fact(decision.identity, body, at=at, now=now, name=decision.id)


def _fact(identity: str, body: Body, *, at: int, now: int, name: str) -> Fact:
    return fact_of_occurrence(body, identity=identity, source=OWN_SOURCE, name=name, at=at, now=now)
