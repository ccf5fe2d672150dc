"""The privacy officer's way to receipts: what a person was offered, on which grounds, and who was shown it.

Both ways: from a decision's id to its receipt, and from a person, or a consent act of theirs, to the decisions.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints

from api.customers import Ref
from api.gate import Gate
from api.looking import Purpose, Reason, note_look
from api.officer_cards import AccessCard, Identity, access_card, identity_card
from api.outcomes import DecisionId
from api.refs import Refs
from api.refusal import Refusal
from api.services import Services
from consent.evidence_reading import EvidenceReading
from events.identity import Linked
from events.shape import Shape, format_time
from profiles.at_time import members_at
from profiles.links import READ_MAX
from recommender.decisions import Decision, Look
from recommender.suggestion import DECISION_ID

RECEIPTS_MAX: Final = 500

Event = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None,
    Query(description="only decisions that relied on this consent act: an event of the person's history"),
]


class GroundCard(Shape):
    """A purpose that was open, on what legal basis, by which events (hex) of the person's history."""

    purpose: str
    basis: str
    events: tuple[str, ...]


class ReceiptCard(Shape):
    """What an answer relied on. `answer` is the hash of its bytes; `explainable` tells whether its inputs are kept.

    `shown` are the looks at it that are remembered, the latest first.
    """

    decision: str
    identity: Identity
    purpose: str
    mode: str
    grounds: tuple[GroundCard, ...]
    services: tuple[str, ...]
    channel: str | None
    model: str
    catalogue: str
    policy: str
    code: str
    answer: str
    explainable: bool
    valid_until: str
    shown: tuple[AccessCard, ...]


class ReceiptCards(Shape):
    """Receipts, the latest shown first; `truncated` where there are more."""

    receipts: tuple[ReceiptCard, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class ReceiptRoutes:
    """Receipts over HTTP; whoever asks says what for, and that is noted first."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        for path, endpoint, summary in (
            ("/v1/officer/receipts/{decision}", self.receipt, "See what one decision relied on"),
            (
                "/v1/officer/people/{ref}/receipts",
                self.receipts,
                "See what a person was offered, and on which consents",
            ),
        ):
            router.add_api_route(path, endpoint, methods=["GET"], summary=summary, tags=["officer"])

    async def receipt(
        self, decision: DecisionId, request: Request, *, purpose: Purpose = None, reason: Reason = None
    ) -> ReceiptCard:
        """The receipt of a decision, with everybody who was shown it."""
        found = await self.services.decisions.get(decision) if DECISION_ID.fullmatch(decision) else None
        what, identity = "receipt", None if found is None else found.identity
        await note_look(
            self.services, request, what=what, identity=identity, purpose=purpose, reason=reason, must_declare=True
        )
        if found is None:
            raise Refusal("unknown-decision")
        looks = await self.services.decisions.looks_at([found.identity])
        return receipt_card(found, [look for look in looks if look.decision == found.id], self.services.refs)

    async def receipts(
        self, ref: Ref, request: Request, *, event: Event = None, purpose: Purpose = None, reason: Reason = None
    ) -> ReceiptCards:
        """Of all identities verified as the person; about one act also of those that were linked to it once."""
        identity = self.services.refs.open(ref)
        await note_look(
            self.services,
            request,
            what="receipts",
            identity=identity,
            purpose=purpose,
            reason=reason,
            must_declare=True,
        )
        members = await asyncio.to_thread(self._members, identity, ever=event is not None)
        by_decision: dict[str, list[Look]] = {}
        for look in await self.services.decisions.looks_at(members):
            by_decision.setdefault(look.decision, []).append(look)
        cards: list[ReceiptCard] = []
        for decision, looks in by_decision.items():
            found = await self.services.decisions.get(decision)
            if found is None or (event is not None and not found.relied_on(event)):
                continue
            if len(cards) == RECEIPTS_MAX:
                return ReceiptCards(receipts=tuple(cards), truncated=True)
            cards.append(receipt_card(found, looks, self.services.refs))
        return ReceiptCards(receipts=tuple(cards), truncated=False)

    def _members(self, identity: str, *, ever: bool) -> Collection[str]:
        with self.services.evidence.reading() as evidence:
            if ever:
                return ever_linked(identity, evidence)
            return members_at(identity, evidence.of, at=self.services.clock())


def ever_linked(identity: str, evidence: EvidenceReading) -> tuple[str, ...]:
    """The identity and those that any link ever tied to it, by however many steps; at most `READ_MAX`."""
    found, waiting = {identity}, [identity]
    while waiting and len(found) < READ_MAX:
        ties = (piece.fact.body for piece in evidence.of([waiting.pop()]).popitem()[1])
        near = {body.other for body in ties if isinstance(body, Linked)} - found
        found |= near
        waiting += sorted(near)
    return tuple(sorted(found))


def receipt_card(decision: Decision, looks: Collection[Look], refs: Refs) -> ReceiptCard:
    """How a receipt is told: all but the sealed inputs."""
    return ReceiptCard(
        decision=decision.id,
        identity=identity_card(decision.identity, refs),
        purpose=decision.purpose,
        mode=decision.mode,
        grounds=tuple(
            GroundCard(purpose=ground.purpose, basis=ground.basis, events=ground.evidence)
            for ground in decision.grounds
        ),
        services=decision.services,
        channel=decision.channel,
        model=decision.model,
        catalogue=decision.catalogue,
        policy=decision.policy,
        code=decision.code,
        answer=decision.answer,
        explainable=bool(decision.inputs),
        valid_until=format_time(decision.valid_until),
        shown=tuple(access_card(look.access, refs) for look in looks),
    )


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    ReceiptRoutes(services).mount(router)
    return router
