"""Deciding on candidates: reads the person, asks the guard, keeps the decision and publishes the message.

One decider at a time looks at the candidates of a person. It may be shown the same candidate again at any time: a
decision that stands is not made again, and a message that was published is not published again.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec.structs import replace

from consent.tokens import Links
from events.admission import Admitted
from events.log import EventLog
from events.partitioning import partition_of
from outreach.addressing import Addressing
from outreach.assessment import Assessment, reach_of
from outreach.candidates import Candidate, encode_candidate, marked, recognised
from outreach.decision import DECISION_FORMAT, Decision, arm_of, decision_id, occasion_hash
from outreach.facts import breach_fact
from outreach.guard import HoldUntil, Never, Send, Verdict, guard, unreachable
from outreach.message import message_of
from outreach.occasions import Occasion, iso_week, occasion_of, tells_too_much
from outreach.records import OutreachRecords, OutreachUnavailable, Room
from outreach.timers import Timers
from outreach.triggers import Trigger
from profiles.view import PersonView

TRIES: Final = 5

Outcome = Literal["decided", "known", "waits", "moved", "nothing"]
"""`waits` for its time, `moved` to the partition of the person it is for by now, `nothing` to decide (any more)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Where candidates and messages are published."""

    decisions: str
    outreach: str


@dataclass(frozen=True, slots=True)
class _Case:
    """One candidate on its way: `known` are the decisions about all identities of the person."""

    candidate: Candidate
    trigger: Trigger
    canonical: str
    known: Sequence[Decision]
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Decides on candidates. `key` (16 to 64 secret bytes) makes ids unguessable."""

    addressing: Addressing
    assessment: Assessment
    records: OutreachRecords
    timers: Timers
    log: EventLog
    topics: Topics
    links: Links
    partitions: int
    key: bytes = field(repr=False)

    async def decide(self, candidate: Candidate, *, now: int) -> Outcome:
        """Decide on a candidate at `now` (ms).

        OutreachUnavailable, LogError, PersonUnstable and errors of the profile store: show the candidate again.
        """
        trigger = self.assessment.triggers.by_id.get(candidate.trigger)
        if trigger is None:
            return "nothing"
        if candidate.due > now:
            await self._wait(candidate)
            return "waits"
        view = await self.addressing.view(candidate.identity, now=now)
        if view is not None and view.canonical != candidate.person:
            await self.publish(replace(candidate, person=view.canonical, links=view.person.link_hash))
            return "moved"
        if view is not None:
            candidate = recognised(candidate, (*view.service.cases, *view.service.orders), key=self.key)
        for _ in range(TRIES):
            members = [candidate.identity] if view is None else view.members
            known = await self.records.decisions_of(members)
            canonical = candidate.identity if view is None else view.canonical
            outcome = await self._decided(_Case(candidate, trigger, canonical, known, now), view)
            if outcome is not None:
                return outcome
        raise OutreachUnavailable("the decision kept changing while it was made")

    async def publish(self, candidate: Candidate) -> None:
        """Publish a candidate, keyed by its person; LogError when the log does not take it."""
        said = encode_candidate(marked(candidate, key=self.key))
        await self._publish(self.topics.decisions, candidate.person, said)

    async def _decided(self, case: _Case, view: PersonView | None) -> Outcome | None:
        """What became of the candidate; None when what is kept changed meanwhile."""
        held = _held(case)
        closed = await self._closed(case, view)
        if view is None or closed is not None:
            if held is None and tells_too_much(case.trigger, view, now=case.now):
                return "nothing"
            # Nothing of the person is looked at, so nothing tells one such occasion of a week from another.
            key = f"closed {iso_week(case.candidate.at)}"
            prior = held or self._prior(case, key)
            if prior is not None and held is None:
                return "known"
            arose_at = case.candidate.at + case.trigger.after_ms
            if held is None and not case.trigger.is_fresh(arose_at, case.candidate.received):
                return "nothing"
            return await self._keep(case, key, closed or Never("unreadable"), prior=prior)
        occasion = occasion_of(case.trigger, case.candidate, view, now=case.now)
        if occasion is None:
            return "nothing" if held is None else await self._keep(case, "", Never("passed"), prior=held)
        prior = self._prior(case, occasion.key)
        if prior is not None and (prior.verdict != "hold" or case.now < prior.until):
            return await self._again(prior)
        if self._new_id(case, occasion.key, case.candidate.identity) in view.service.messages:
            # The log remembers a message that the store of decisions has lost.
            return "known"
        return await self._judged(case, view, occasion, prior=prior)

    async def _closed(self, case: _Case, view: PersonView | None) -> Never | None:
        if view is None:
            return Never("unreadable")
        if case.candidate.identity not in await self.addressing.recipients(case.candidate, now=case.now):
            return Never("nobody_to_address")
        return unreachable(reach_of(case.trigger, view, now=case.now))

    def _prior(self, case: _Case, key: str) -> Decision | None:
        name = occasion_hash(key=self.key, trigger=case.trigger.id, occasion=key)
        found = [decision for decision in case.known if decision.occasion == name]
        return min(found, key=lambda decision: decision.verdict == "hold", default=None)

    async def _again(self, prior: Decision) -> Outcome:
        if prior.verdict == "send" and not prior.published:
            await self._send(prior)
        return "known"

    async def _judged(
        self, case: _Case, view: PersonView, occasion: Occasion, *, prior: Decision | None
    ) -> Outcome | None:
        await self._tell_breach(case)
        counted = self.assessment.counted(case.known, view, now=case.now)
        situation = self.assessment.situation(
            case.trigger,
            occasion,
            view,
            now=case.now,
            known=case.known,
            is_held_out=arm_of(case.known, canonical=case.canonical, policy=self.assessment.policy) == "held_out",
        )
        verdict = guard(situation, self.assessment.policy)
        return await self._keep(case, occasion.key, verdict, prior=prior, occasion=occasion, counted=counted)

    async def _keep(
        self,
        case: _Case,
        key: str,
        verdict: Verdict,
        *,
        prior: Decision | None,
        occasion: Occasion | None = None,
        counted: AbstractSet[str] = frozenset(),
    ) -> Outcome | None:
        decision = self._decision(case, key, verdict, prior=prior)
        if occasion is not None:
            decision = _with_occasion(decision, case, verdict, occasion)
        if isinstance(verdict, HoldUntil):
            await self._wait(replace(case.candidate, due=verdict.at))
        room = self._room(case, decision, counted)
        if await self.records.write(decision, before=prior, room=room) != "written":
            return None
        if isinstance(verdict, Send):
            await self._send(decision)
        return "decided"

    def _decision(self, case: _Case, key: str, verdict: Verdict, *, prior: Decision | None) -> Decision:
        identity = case.candidate.identity if prior is None else prior.identity
        return Decision(
            format=DECISION_FORMAT,
            id=self._new_id(case, key, identity) if prior is None else prior.id,
            occasion=(
                occasion_hash(key=self.key, trigger=case.trigger.id, occasion=key) if prior is None else prior.occasion
            ),
            trigger=case.trigger.id,
            identity=identity,
            at=case.now,
            verdict="send" if isinstance(verdict, Send) else "hold" if isinstance(verdict, HoldUntil) else "never",
            because="allowed" if isinstance(verdict, Send) else verdict.because,
            detail=verdict.detail if isinstance(verdict, Never) else "",
        )

    def _new_id(self, case: _Case, key: str, identity: str) -> str:
        return decision_id(
            key=self.key,
            trigger=case.trigger.id,
            person=case.canonical,
            occasion=key,
            partition=self._partition(identity),
        )

    def _room(self, case: _Case, decision: Decision, counted: AbstractSet[str]) -> Room | None:
        if not decision.takes_of_cap:
            return None
        cap = self.assessment.policy.cap
        here = {known.id for known in case.known if known.identity == decision.identity and known.takes_of_cap}
        return Room(cap.at_most - len(counted - here), case.now - cap.window_ms)

    async def _send(self, decision: Decision) -> None:
        """Publish the message, then note that it was; the sender may have claimed it in between."""
        service = self.assessment.catalogue.by_id.get(decision.service or "")
        trigger = self.assessment.triggers.by_id.get(decision.trigger)
        if service is None or trigger is None:
            return
        message = message_of(decision, trigger=trigger, service=service, links=self.links)
        await self._publish(self.topics.outreach, decision.identity, message)
        for _ in range(TRIES):
            if await self.records.write(replace(decision, published=True), before=decision) == "written":
                return
            decision = await self.records.find(decision.id) or decision

    async def _wait(self, candidate: Candidate) -> None:
        await self.timers.schedule(self._partition(candidate.person), candidate)

    async def _tell_breach(self, case: _Case) -> None:
        fact = breach_fact(case.trigger, case.candidate, now=case.now)
        if fact is not None:
            await self.log.append([Admitted(fact=fact, partition=self._partition(fact.identity))])

    async def _publish(self, topic: str, pseudonym: str, value: bytes) -> None:
        await self.log.publish(topic=topic, key=pseudonym.encode(), value=value, partition=self._partition(pseudonym))

    def _partition(self, pseudonym: str) -> int:
        return partition_of(pseudonym.encode(), self.partitions)


def _held(case: _Case) -> Decision | None:
    """The decision that this candidate was held by, whatever has become of its occasion."""
    return next(
        (
            each
            for each in case.known
            if each.candidate is not None
            and each.verdict == "hold"
            and (each.trigger, each.candidate.key) == (case.trigger.id, case.candidate.key)
        ),
        None,
    )


def _with_occasion(bare: Decision, case: _Case, verdict: Verdict, occasion: Occasion) -> Decision:
    """The decision with what it is about, and what is needed to look at it again while something may follow."""
    because = verdict.grounds if isinstance(verdict, Send) else None
    is_exposed = isinstance(verdict, Send) and not case.trigger.is_task
    return replace(
        bare,
        until=verdict.at if isinstance(verdict, HoldUntil) else 0,
        channel=verdict.channel if isinstance(verdict, Send) else None,
        service=occasion.service,
        basis=None if because is None else because.basis,
        grounds=() if because is None else tuple(key.hex() for key in because.relied_on),
        evidence=occasion.evidence,
        sensitive=occasion.sensitive,
        count=occasion.count,
        valid_until=case.now + case.trigger.valid_minutes * 60_000 if isinstance(verdict, Send) else 0,
        counts=not case.trigger.is_task,
        arm="treated" if is_exposed else "held_out" if verdict == Never("hold_out") else None,
        candidate=None if isinstance(verdict, Never) else case.candidate,
    )
