"""Consent over HTTP: an act is recorded for the whole person, and a no denies before it is acknowledged."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from fastapi import APIRouter
from pydantic import model_validator

from api.auth import OWN_SOURCE
from api.customers import After, Ref, person
from api.documents import CONSENT_EXAMPLES, examples
from api.gate import Gate
from api.refusal import Refusal
from api.services import Services
from api.standing import Standing, standings
from consent.recording import ActRefused, plan_act
from consent.rules import Rules
from events.acts import (
    ConsentAct,
    ConsentDeferred,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRefused,
    ConsentRenewed,
    ConsentRequested,
    ConsentRevoked,
    ConsentWithdrawn,
    Form,
    Granting,
)
from events.shape import FROM_LOG, Code, RecordId, Shape, Time
from events.tokens import encode_token
from profiles.person import PersonUnavailable
from profiles.view import PersonView

ACTS: Final[Mapping[str, type[ConsentAct]]] = {
    "requested": ConsentRequested,
    "deferred": ConsentDeferred,
    "given": ConsentGiven,
    "renewed": ConsentRenewed,
    "refused": ConsentRefused,
    "withdrawn": ConsentWithdrawn,
    "revoked": ConsentRevoked,
    "invalidated": ConsentInvalidated,
}


class Act(Shape):
    """What the person said, about which purpose, and when (now, if not said).

    `act_id` makes sending it again harmless; one is made up where it is missing. A grant may have an end, and a `form`:
    how clearly it was given, which sensitive purposes need to be told. `notice` is what was shown, as `id/version`;
    what it said is stamped on the act. `by` is who decided, `method` how they said so.
    """

    act: Literal["requested", "deferred", "given", "renewed", "refused", "withdrawn", "revoked", "invalidated"]
    purpose: Code
    at: Time | None = None
    act_id: RecordId | None = None
    expires_at: Time | None = None
    form: Form | None = None
    jurisdiction: Code | None = None
    notice: Code | None = None
    language: Code | None = None
    by: Literal["subject", "guardian", "controller", "authority"] | None = None
    method: Code | None = None
    channel: Code | None = None
    branch: Code | None = None
    agent: Code | None = None

    @model_validator(mode="after")
    def _only_a_grant_ends(self) -> Self:
        if self.is_grant:
            return self
        if self.expires_at is not None:
            raise ValueError("only a grant can have an end")
        if self.form is not None:
            raise ValueError("only a grant has a form")
        return self

    @property
    def is_grant(self) -> bool:
        """Whether it allows anything."""
        return issubclass(ACTS[self.act], Granting)

    def body(self, act_id: str, *, rules: Rules, now: int) -> ConsentAct:
        """The act as it goes on the log at `now` (ms); Refusal for a grant that lacks what it needs there.

        A no is never turned away for what it names.
        """
        said: dict[str, Any] = self.model_dump(exclude={"act", "at", "act_id"}, exclude_none=True)
        notice = None if self.notice is None else rules.notices.by_ref(self.notice)
        if notice is not None and self.purpose in notice.purposes:
            said["notice_hash"] = notice.hash
        elif self.is_grant and self.notice is not None:
            raise Refusal("invalid", f"there is no such notice about {self.purpose}", code="unknown_notice")
        if self.is_grant and self.form is None and rules.needs_form(self.purpose, now=now):
            raise Refusal("invalid", f"{self.purpose} needs a form: separate or written", code="no_form")
        return ACTS[self.act].model_validate({**said, "act_id": act_id}, context=FROM_LOG)


class Acknowledged(Shape):
    """The act stands, for so many identities. `effective` says from when; `after` is the token to read it back with."""

    act_id: str
    identities: int
    effective: Literal["now", "when_folded"]
    after: str | None


class Consents(Shape):
    """The door's answer for every purpose."""

    consents: dict[str, Standing]


@dataclass(frozen=True, slots=True)
class ConsentRoutes:
    """Consent acts and what stands."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        router.add_api_route(
            "/v1/customers/{ref}/consents",
            self.record,
            methods=["POST"],
            status_code=202,
            response_model=Acknowledged,
            summary="Record what the person said about a purpose",
            openapi_extra=examples(CONSENT_EXAMPLES),
            tags=["consents"],
        )
        router.add_api_route(
            "/v1/customers/{ref}/consents",
            self.standing,
            methods=["GET"],
            response_model=Consents,
            summary="See what the person allows, and why",
            tags=["consents"],
        )

    async def record(self, ref: Ref, act: Act, after: After = None) -> Acknowledged:
        """Record an act for all verified identities of the person.

        A refusal or withdrawal denies from the moment it is acknowledged; a grant allows once it is folded.
        """
        act_id = act.act_id or secrets.token_hex(16)
        now = self.services.clock()
        body = act.body(act_id, rules=self.services.persons.rules, now=now)
        identities = await self._covered(ref, body, after=after)
        planned = plan_act(
            body,
            identities=identities,
            source=OWN_SOURCE,
            occurred_at=now if act.at is None else act.at,
            received_at=now,
            partitions=self.services.admission.partitions,
        )
        if isinstance(planned, ActRefused):
            raise _refusal(planned)
        recorded = await self.services.recorder.record(planned)
        if isinstance(recorded, ActRefused):
            raise _refusal(recorded)
        return Acknowledged(
            act_id=act_id,
            identities=len(planned.facts),
            effective="now" if planned.restricts else "when_folded",
            after=encode_token(recorded.positions) if recorded.positions else None,
        )

    async def _covered(self, ref: str, body: ConsentAct, *, after: str | None) -> tuple[str, ...]:
        try:
            return (await self._person(ref, body, after=after)).members
        except PersonUnavailable:
            if isinstance(body, Granting):
                raise
            # A no on any part denies all, so it is not turned away because the other parts cannot be told.
            return (self.services.refs.open(ref),)

    async def _person(self, ref: str, body: ConsentAct, *, after: str | None) -> PersonView:
        try:
            return await person(self.services, ref, after=after)
        except Refusal as refusal:
            if refusal.kind != "not-folded-yet" or isinstance(body, Granting):
                raise
            # A no takes effect whether or not a worker runs: it covers the identities that are known by now.
            return await person(self.services, ref, after=None)

    async def standing(self, ref: Ref, after: After = None) -> Consents:
        """Every purpose with the door's answer and its reason."""
        view = await person(self.services, ref, after=after)
        return Consents(consents=standings(view, at=view.read_at, known_at=view.read_at))


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    ConsentRoutes(services).mount(router)
    return router


def _refusal(refused: ActRefused) -> Refusal:
    kind = "another-act" if refused.code == "another_act" else "invalid"
    return Refusal(kind, refused.detail, code=refused.code)
