"""`GET /v1/customers/{ref}/suggestions`: the hot path, a plain route that answers bytes.

Where `suggest.personal` is refused, nothing in the answer or its headers depends on the person beyond deny-only facts:
no position, no time of reading, no age.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.customers import person
from api.gate import Gate, asked
from api.looking import look_of
from api.refusal import Refusal
from api.services import Services
from consent.accesses import Access
from events.shape import Code
from recommender.reading import input_of
from recommender.receipts import Question
from recommender.suggestion import K_MAX

PATH: Final = "/v1/customers/{ref}/suggestions"
K_DEFAULT: Final = 3

_words: Final = TypeAdapter[str](Code)


@dataclass(frozen=True, slots=True)
class SuggestionRoute:
    """What to offer next, and why."""

    services: Services

    async def answer(self, request: Request) -> Response:
        """Suggestions for the person a reference stands for."""
        ref, query = str(request.path_params["ref"]), asked(request).query
        k = _k(query.get("k"))
        channel = _word("channel", query.get("channel"), such_as="branch or app")
        intent = _word("intent", query.get("intent"), such_as="cancel or fees")
        view = await person(self.services, ref, after=query.get("after"))
        await self.services.receipts.sealing.ready(view.identity)
        seen = input_of(view, catalogue=self.services.catalogue, ref=ref, now=view.read_at)
        # Whoever was read in the same round trip is seen first: scoring throws what seeing needs out of the caches.
        await asyncio.sleep(0)
        made = self.services.receipts.answer(
            seen,
            Question(channel=channel, intent=intent, k=k, now=view.read_at),
            identity=view.identity,
            canonical=view.canonical,
            artifact=self.services.model.artifact,
            catalogue=self.services.catalogue,
        )
        await self.services.decisions.keep(made.receipt, shown=await _look(self.services, request, view.identity))
        self.services.metrics.suggested(made.answer.mode)
        return Response(made.rendered, media_type="application/json")


def build(services: Services, gate: Gate) -> Route:
    """The route behind the gate."""
    return Route(PATH, gate.guard(SuggestionRoute(services).answer, method="GET", path=PATH), methods=["GET"])


async def _look(services: Services, request: Request, identity: str) -> Access:
    """The look that is noted with the receipt, in the one write that the answer waits for.

    One that breaks the glass is noted with the others of its kind besides.
    """
    headers = request.headers
    purpose, reason = headers.get("rapport-purpose"), headers.get("rapport-reason")
    look = look_of(services, request, what="suggestions", identity=identity, purpose=purpose, reason=reason)
    if look.broke_glass:
        await asyncio.to_thread(services.accesses.note, look)
    return look


def _k(text: str | None) -> int:
    if text is None:
        return K_DEFAULT
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 3):
        raise Refusal("invalid", f"k lies between 1 and {K_MAX}")
    return int(text)


def _word(name: str, text: str | None, *, such_as: str) -> str | None:
    try:
        return None if text is None else _words.validate_python(text)
    except ValidationError:
        raise Refusal("invalid", f"{name} is not a short word such as {such_as}") from None
