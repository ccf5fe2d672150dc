"""What became of a suggestion: presented, and answered. Both become facts of the identity that was addressed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from api.auth import OWN_SOURCE
from api.documents import ANSWER_EXAMPLES, PRESENTED_EXAMPLES, examples
from api.gate import Gate
from api.refusal import Refusal
from api.services import Services
from events.admission import AHEAD_MAX_MS
from events.fact import Fact
from events.feedback import SuggestionAnswered, SuggestionPresented
from events.own_facts import own_fact
from events.shape import FROM_LOG, Body, Code, Shape, Time
from events.tokens import encode_token
from recommender.decisions import Decision
from recommender.suggestion import DECISION_ID, K_MAX

DecisionId = Annotated[str, Path(max_length=64, description="the decision of the answer the suggestion was in")]


class Where(Shape):
    """Where and through whom it happened, and when (now, if not said)."""

    at: Time | None = None
    channel: Code | None = None
    branch: Code | None = None
    team: Code | None = None
    agent: Code | None = None


class Presented(Where):
    """The suggestions that were really shown or said."""

    services: Annotated[tuple[Code, ...], Field(min_length=1, max_length=K_MAX)]


class Answered(Where):
    """What the person said to one of them. To go back to an earlier answer, say when (`at`)."""

    service: Code
    answer: Literal["accepted", "declined", "ignored"]
    reason: Code | None = None


class Noted(Shape):
    """It is on the log; `after` is the token to read it back with."""

    after: str


@dataclass(frozen=True, slots=True)
class OutcomeRoutes:
    """Outcomes over HTTP. Saying the same again is harmless."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        router.add_api_route(
            "/v1/suggestions/{decision}/presented",
            self.presented,
            methods=["POST"],
            status_code=202,
            response_model=Noted,
            summary="Note which suggestions were presented",
            openapi_extra=examples(PRESENTED_EXAMPLES),
            tags=["suggestions"],
        )
        router.add_api_route(
            "/v1/suggestions/{decision}/answer",
            self.answered,
            methods=["POST"],
            status_code=202,
            response_model=Noted,
            summary="Note what the person said to a suggestion",
            openapi_extra=examples(ANSWER_EXAMPLES),
            tags=["suggestions"],
        )

    async def presented(self, decision: DecisionId, said: Presented) -> Noted:
        """Only what was presented counts for caps and learning."""
        known = await self._known(decision, said.services)
        bodies = [_presented(known, service, said) for service in dict.fromkeys(said.services)]
        return await self._note(known, bodies, at=said.at)

    async def answered(self, decision: DecisionId, said: Answered) -> Noted:
        """Note an answer; a declined service rests for a while."""
        known = await self._known(decision, (said.service,))
        return await self._note(known, [_answered(known, said)], at=said.at)

    async def _known(self, decision: str, services: Sequence[str]) -> Decision:
        known = await self.services.decisions.get(decision) if DECISION_ID.fullmatch(decision) else None
        if known is None:
            raise Refusal("unknown-decision")
        if not set(services) <= set(known.services):
            raise Refusal("invalid", "a service was not part of this decision")
        return known

    async def _note(self, decision: Decision, bodies: Sequence[Body], *, at: int | None) -> Noted:
        now = self.services.clock()
        if at is not None and at > now + AHEAD_MAX_MS:
            raise Refusal("invalid", "at is more than 24 hours ahead")
        facts = [_fact(decision, body, at=at, now=now) for body in bodies]
        positions = await self.services.log.append([self.services.admission.place(fact) for fact in facts])
        return Noted(after=encode_token(positions))


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    OutcomeRoutes(services).mount(router)
    return router


def _presented(decision: Decision, service: str, said: Presented) -> Body:
    about = {"decision": decision.id, "service": service}
    return SuggestionPresented.model_validate({**_where(decision, said), **about}, context=FROM_LOG)


def _answered(decision: Decision, said: Answered) -> Body:
    about = {"decision": decision.id, "service": said.service, "answer": said.answer, "reason": said.reason}
    return SuggestionAnswered.model_validate({**_where(decision, said), **about}, context=FROM_LOG)


def _where(decision: Decision, said: Where) -> dict[str, Any]:
    where = said.model_dump(include={"channel", "branch", "team", "agent"}, exclude_none=True)
    return {"channel": decision.channel, **where}


def _fact(decision: Decision, body: Body, *, at: int | None, now: int) -> Fact:
    """The fact of an outcome. All that was said names the event, so that the same said again is the same event."""
    said = [body.event_type, body.model_dump(mode="json", exclude_none=True), at]
    return own_fact(
        body,
        identity=decision.identity,
        source=OWN_SOURCE,
        event_id=json.dumps(said, sort_keys=True),
        said=said,
        at=now if at is None else at,
        now=now,
    )
