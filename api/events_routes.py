"""`POST /v1/events`: one CloudEvent or a batch; 202 only once every replica of the log has all that was admitted."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.documents import EVENT_EXAMPLES, event_body
from api.gate import Gate, asked
from api.limits import Limits
from api.refusal import Refusal
from api.services import Services
from consent.holds import hold_of
from events.admission import EVENT_BYTES_MAX, Admitted, Door, EventRefused
from events.shape import Shape
from events.tokens import encode_token

ITEMS_MAX: Final = 1000
AT_ONCE: Final = 20
"""Events of a batch that are looked at before others have their turn."""


class Item(Shape):
    """What became of one event of the request; `index` counts from 0. Why it was refused, where it was."""

    index: int
    status: Literal["accepted", "refused"]
    code: str | None = None
    detail: str | None = None


class Intake(Shape):
    """What became of all of them. `after` is the token to read them back with."""

    accepted: int
    refused: int
    after: str | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class EventRoutes:
    """The intake over HTTP."""

    services: Services
    limits: Limits

    def mount(self, router: APIRouter) -> None:
        """Add the route."""
        router.add_api_route(
            "/v1/events",
            self.take,
            methods=["POST"],
            status_code=202,
            response_model=Intake,
            responses={207: {"model": Intake, "description": "Some were admitted, some were not"}},
            summary="Send one event, or up to a thousand",
            openapi_extra={"requestBody": event_body(EVENT_EXAMPLES)},
            tags=["events"],
        )

    async def take(self, request: Request) -> JSONResponse:
        """Admit CloudEvents 1.0 in JSON and put them on the log.

        Sending again is harmless: an event counts once by its `source` and `id`. The source must be the one the key
        is bound to. 202: all were admitted; 207: some, see `items`; 422: none.
        """
        key, said, _ = asked(request)
        if key is None:
            raise Refusal("unauthenticated")
        events = _events(said)
        self.limits.charge(key, len(events) - 1)
        verdicts = await self._admit(events, door=key.door)
        admitted = [fact for verdict in verdicts if not isinstance(verdict, EventRefused) for fact in verdict]
        intake = await self._append(verdicts, admitted)
        for verdict in verdicts:
            self.services.metrics.event(verdict.code if isinstance(verdict, EventRefused) else "accepted")
        if not admitted:
            raise Refusal("nothing-admitted", **intake.model_dump(mode="json", exclude_none=True))
        return JSONResponse(intake.model_dump(mode="json", exclude_none=True), 207 if intake.refused else 202)

    async def _admit(self, events: Sequence[Any], *, door: Door) -> list[Sequence[Admitted] | EventRefused]:
        """A few at a time, so that a large batch keeps nobody else waiting for long."""
        now = self.services.clock()
        verdicts: list[Sequence[Admitted] | EventRefused] = []
        for start in range(0, len(events), AT_ONCE):
            verdicts += [self._verdict(event, door, now) for event in events[start : start + AT_ONCE]]
            await asyncio.sleep(0)
        return verdicts

    def _verdict(self, event: Any, door: Door, now: int) -> Sequence[Admitted] | EventRefused:
        if _is_too_large(event):
            return EventRefused(code="too_large", detail=f"more than {EVENT_BYTES_MAX} bytes")
        return self.services.admission.admit_parsed(event, door=door, received_at=now)

    async def _append(
        self, verdicts: Sequence[Sequence[Admitted] | EventRefused], admitted: Sequence[Admitted]
    ) -> Intake:
        # A no denies from the moment it is acknowledged, by whatever way it came.
        holds = [hold for item in admitted if (hold := hold_of(item.fact)) is not None]
        if holds:
            await self.services.recorder.holds.place(holds)
        positions = await self.services.log.append(admitted) if admitted else []
        items = tuple(_item(index, verdict) for index, verdict in enumerate(verdicts))
        refused = sum(item.status == "refused" for item in items)
        token = encode_token(positions) if positions else None
        return Intake(accepted=len(items) - refused, refused=refused, after=token, items=items)


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    EventRoutes(services, gate.limits).mount(router)
    return router


def _events(said: Any) -> list[Any]:
    events = said if isinstance(said, list) else [said]
    if not events:
        raise Refusal("invalid", "a batch has at least one event")
    if len(events) > ITEMS_MAX:
        raise Refusal("too-large", f"a batch has at most {ITEMS_MAX} events")
    return events


def _is_too_large(event: Any) -> bool:
    return len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")) > (
        EVENT_BYTES_MAX
    )


def _item(index: int, verdict: Sequence[Admitted] | EventRefused) -> Item:
    if isinstance(verdict, EventRefused):
        return Item(index=index, status="refused", code=verdict.code, detail=verdict.detail)
    return Item(index=index, status="accepted")
