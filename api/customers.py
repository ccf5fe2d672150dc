"""Looking a person up, and their card."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import StringConstraints

from api.card import Card, card_of
from api.documents import LOOKUP_EXAMPLES, examples
from api.gate import Gate
from api.looking import Purpose, Reason, note_look
from api.refs import REF_CHARACTERS_MAX
from api.services import Services
from events.shape import IdentityText, Shape
from events.tokens import TOKEN_CHARACTERS_MAX
from profiles.view import PersonView

Ref = Annotated[str, Path(max_length=REF_CHARACTERS_MAX, description="the reference a lookup gave")]
After = Annotated[
    str | None,
    Query(max_length=TOKEN_CHARACTERS_MAX, description="wait until the writes this token stands for can be read"),
]


class Lookup(Shape):
    """Whom to look up: `namespace:value`, in clear."""

    identity: IdentityText


class Found(Shape):
    """The reference that stands for the identity in URLs; it says neither who that is nor whether we know them."""

    ref: Annotated[str, StringConstraints(max_length=REF_CHARACTERS_MAX)]


@dataclass(frozen=True, slots=True)
class CustomerRoutes:
    """Persons over HTTP."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        router.add_api_route(
            "/v1/customers/lookup",
            self.look_up,
            methods=["POST"],
            response_model=Found,
            summary="Look a person up by one of their identities",
            openapi_extra=examples(LOOKUP_EXAMPLES),
            tags=["customers"],
        )
        router.add_api_route(
            "/v1/customers/{ref}",
            self.card,
            methods=["GET"],
            response_model=Card,
            summary="See a person, as far as they allow it",
            tags=["customers"],
        )

    async def look_up(self, lookup: Lookup) -> Found:
        """Turn an identity in clear into a reference that may stand in a URL."""
        return Found(ref=self.services.refs.seal(self.services.admission.pseudonyms.of(lookup.identity)))

    async def card(
        self, ref: Ref, request: Request, *, after: After = None, purpose: Purpose = None, reason: Reason = None
    ) -> Card:
        """One person on all channels: identities, consents and why, open matters, traits with sample and window.

        That it was looked at is noted, with the key and what it was declared to be for.
        """
        view = await person(self.services, ref, after=after)
        await note_look(self.services, request, what="card", identity=view.identity, purpose=purpose, reason=reason)
        return card_of(view, ref=ref, now=view.read_at)


async def person(services: Services, ref: str, *, after: str | None) -> PersonView:
    """The person a reference stands for, once what `after` names is folded."""
    identity = services.refs.open(ref)
    await services.freshness.reach(after)
    return await services.persons.read(identity, now=services.clock())


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    CustomerRoutes(services).mount(router)
    return router
