"""Other systems confirm what they were told of a no, and the privacy officer sees which of them did not."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field, StringConstraints

from api.documents import CONFIRM_EXAMPLES, examples
from api.gate import Gate, asked
from api.refusal import Refusal
from api.services import Services
from consent.telling import IDS_MAX, TOLD_FOR_MS, Unconfirmed
from events.shape import Shape, format_time

TellingId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class Heard(Shape):
    """The `id`s of records of the consent topic that were acted on."""

    ids: Annotated[tuple[TellingId, ...], Field(min_length=1, max_length=IDS_MAX)]


class Confirmed(Shape):
    """How many were noted, and for whom."""

    recipient: str
    confirmed: int


class RecipientCard(Shape):
    """What a recipient has not confirmed: how many noes, since when, and the first of their ids."""

    unconfirmed: int
    oldest: str | None
    ids: tuple[str, ...]


class Recipients(Shape):
    """Every system that has to hear of a no."""

    recipients: dict[str, RecipientCard]


@dataclass(frozen=True, slots=True)
class TellingRoutes:
    """Confirmations over HTTP."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        router.add_api_route(
            "/v1/consent/confirmations",
            self.confirm,
            methods=["POST"],
            response_model=Confirmed,
            summary="Confirm that a no was heard and acted on",
            openapi_extra=examples(CONFIRM_EXAMPLES),
            tags=["consents"],
        )
        router.add_api_route(
            "/v1/officer/recipients",
            self.recipients,
            methods=["GET"],
            response_model=Recipients,
            summary="See which systems have not confirmed a no",
            tags=["officer"],
        )

    async def confirm(self, heard: Heard, request: Request) -> Confirmed:
        """The recipient is the source the key is bound to. Confirming again changes nothing."""
        key, confirmations = asked(request).key, self.services.confirmations
        if key is None or key.source not in confirmations.recipients:
            raise Refusal("forbidden", "this key's source is no recipient; see RAPPORT_CONSENT_RECIPIENTS")
        await asyncio.to_thread(confirmations.confirm, key.source, heard.ids, at=self.services.clock())
        return Confirmed(recipient=key.source, confirmed=len(set(heard.ids)))

    async def recipients(self) -> Recipients:
        """The noes of the last 90 days, as far as the evidence has come, and the erasures."""
        found = await asyncio.to_thread(self._unconfirmed, since=max(self.services.clock() - TOLD_FOR_MS, 0))
        return Recipients(
            recipients={
                name: RecipientCard(
                    unconfirmed=left.noes,
                    oldest=None if left.oldest_at is None else format_time(left.oldest_at),
                    ids=left.ids,
                )
                for name, left in found.items()
            }
        )

    def _unconfirmed(self, *, since: int) -> Mapping[str, Unconfirmed]:
        services = self.services
        return services.confirmations.unconfirmed(services.evidence, services.rights.listed(), since=since)


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    TellingRoutes(services).mount(router)
    return router
