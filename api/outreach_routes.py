"""Outreach over HTTP: what was decided about a person and why, and the claim a sender makes before sending."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request

from api.auth import Role
from api.customers import After, Ref, person
from api.documents import SENT_EXAMPLES, examples
from api.gate import Gate, asked
from api.outcomes import Noted
from api.refusal import Refusal
from api.services import Services
from consent.purposes import SENSITIVE, SUGGEST
from events.admission import AHEAD_MAX_MS
from events.shape import Shape, Time, format_time
from events.tokens import encode_token
from outreach.claiming import Go
from outreach.decision import Decision
from outreach.facts import claimed_fact, sent_fact

OUTREACH: Final = re.compile(r"[0-9]{1,5}-[0-9a-f]{32}")
SENDER_REASONS: Final = frozenset({"go", "already_claimed", "expired", "not_a_message", "quiet_hours"})
"""What a sender has to know to do the right thing next. Every other reason speaks of the person."""
NOT_PERMITTED: Final = "not_permitted"
OutreachId = Annotated[str, Path(max_length=64, description="the id of the message")]


class ClaimCard(Shape):
    """What the sender was told, and when."""

    at: str
    go: bool
    because: str
    receipt: str


class DecisionCard(Shape):
    """One decision about reaching out: to send, to wait, or never to, and why.

    `grounds` are the event keys (hex) of the consents relied on, `evidence` those of what gave the occasion. A message
    shows neither service nor evidence once `suggest.personal` is refused, nor does a decision that tells of children or
    health without consent to that.
    """

    id: str
    trigger: str
    at: str
    verdict: str
    because: str
    detail: str
    until: str | None
    channel: str | None
    service: str | None
    basis: str | None
    grounds: tuple[str, ...]
    evidence: tuple[str, ...]
    valid_until: str | None
    claim: ClaimCard | None


class Decided(Shape):
    """All decisions about the person, the latest first."""

    decisions: tuple[DecisionCard, ...]


class Claimed(Shape):
    """Whether the message may be sent now, and why not otherwise. A go holds for this once.

    To a marketer every reason that speaks of the person is `not_permitted`.
    """

    go: bool
    because: str
    receipt: str | None
    channel: str | None
    service: str | None


class Sent(Shape):
    """When it was sent (now, if not said)."""

    at: Time | None = None


@dataclass(frozen=True, slots=True)
class OutreachRoutes:
    """Decisions and claims over HTTP."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        router.add_api_route(
            "/v1/customers/{ref}/outreach",
            self.decided,
            methods=["GET"],
            response_model=Decided,
            summary="See what was decided about reaching out to the person, and why",
            tags=["outreach"],
        )
        router.add_api_route(
            "/v1/outreach/{outreach}/claim",
            self.claim,
            methods=["POST"],
            response_model=Claimed,
            summary="Ask, immediately before sending, whether the message may be sent",
            tags=["outreach"],
        )
        router.add_api_route(
            "/v1/outreach/{outreach}/sent",
            self.sent,
            methods=["POST"],
            status_code=202,
            response_model=Noted,
            summary="Note that the message left for the person",
            openapi_extra=examples(SENT_EXAMPLES),
            tags=["outreach"],
        )

    async def decided(self, ref: Ref, after: After = None) -> Decided:
        """Every decision of the last 90 days, also those not to send, each with its reason."""
        view = await person(self.services, ref, after=after)
        known = await self.services.outreach.decisions_of(view.members)
        closed = frozenset(
            purpose
            for purpose in (SENSITIVE, SUGGEST)
            if not view.permits(purpose, at=view.read_at, known_at=view.read_at)
        )
        return Decided(decisions=tuple(_card(decision, closed=closed) for decision in known))

    async def claim(self, outreach: OutreachId, request: Request) -> Claimed:
        """Consent, caps, time and occasion are asked again. A message is claimed once: without a clear go, do not send.

        A message that tells of a store or log that did not answer is not to be sent either; claim it again.
        """
        now = self.services.clock()
        answer = await self.services.claims.claim(_checked(outreach), at=now)
        decision = answer.decision
        if decision is None:
            raise Refusal("unknown-outreach")
        if decision.claim is not None:
            # Written again by every later claim, so that an answer that was lost is on the log all the same.
            await self.services.log.append([self.services.admission.place(claimed_fact(decision, now=now))])
        because = "go" if isinstance(answer, Go) else answer.reason
        return Claimed(
            go=bool(answer),
            because=because if because in SENDER_REASONS or not _is_marketer(request) else NOT_PERMITTED,
            receipt=answer.receipt,
            channel=decision.channel,
            service=decision.service if answer else None,
        )

    async def sent(self, outreach: OutreachId, said: Sent) -> Noted:
        """Only a message that was claimed with a go can have been sent. What was sent counts for caps."""
        decision = await self.services.outreach.find(_checked(outreach))
        if decision is None:
            raise Refusal("unknown-outreach")
        now = self.services.clock()
        at = now if said.at is None else said.at
        if decision.claim is None or not decision.claim.go:
            raise Refusal("not-claimed")
        if at > now + AHEAD_MAX_MS:
            raise Refusal("invalid", "at is more than 24 hours ahead")
        fact = sent_fact(decision, at=at, now=now)
        return Noted(after=encode_token(await self.services.log.append([self.services.admission.place(fact)])))


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    OutreachRoutes(services).mount(router)
    return router


def _checked(outreach: str) -> str:
    if not OUTREACH.fullmatch(outreach):
        raise Refusal("unknown-outreach")
    return outreach


def _is_marketer(request: Request) -> bool:
    key = asked(request).key
    return key is None or key.role is Role.MARKETING


def _card(decision: Decision, *, closed: frozenset[str]) -> DecisionCard:
    # A task for our own staff serves the contract; a message, which counts, was made from the profile.
    needs = ((SENSITIVE, decision.sensitive), (SUGGEST, decision.counts))
    claim, hidden = decision.claim, any(needed and purpose in closed for purpose, needed in needs)
    return DecisionCard(
        id=decision.id,
        trigger=decision.trigger,
        at=format_time(decision.at),
        verdict=decision.verdict,
        because=decision.because,
        detail=decision.detail,
        until=_time(decision.until),
        channel=decision.channel,
        service=None if hidden else decision.service,
        basis=decision.basis,
        grounds=decision.grounds,
        evidence=() if hidden else decision.evidence,
        valid_until=_time(decision.valid_until),
        claim=None
        if claim is None
        else ClaimCard(at=format_time(claim.at), go=claim.go, because=claim.because, receipt=claim.receipt),
    )


def _time(milliseconds: int) -> str | None:
    return format_time(milliseconds) if milliseconds else None
