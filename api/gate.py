"""The gate in front of every route: who asks, with what parameters, how large a body, how long it may take.

A route that is not in `api.auth.ROUTES` cannot be built, so that nothing is served by oversight.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from api.auth import ROUTES, Access, ApiKey, ApiKeys, authorize
from api.limits import Limits
from api.metrics import Metrics
from api.problems import problem_of, respond
from api.refusal import Refusal
from events.admission import EventRefused, parse_json

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_JSON_TYPES: Final = frozenset(
    {"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"}
)


class Asked(NamedTuple):
    """What the gate established about a request: its key, and its body as strict JSON (None without one)."""

    key: ApiKey | None
    said: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Lets requests through to their handlers, and answers every failure as a problem."""

    keys: ApiKeys
    metrics: Metrics
    timeout_s: float
    limits: Limits = field(default_factory=Limits)

    def guard(self, handler: Handler, *, method: str, path: str) -> Handler:
        """The handler behind the gate; KeyError for a route that the table does not know."""
        access = ROUTES[method, path]

        async def guarded(request: Request) -> Response:
            began = time.perf_counter()
            try:
                with self.limits.body() as add:
                    admitted = await self._admitted(request, access, add)
                    async with asyncio.timeout(self.timeout_s):
                        response = await handler(admitted)
                response.headers.setdefault("Cache-Control", "no-store")
            except Exception as error:  # noqa: BLE001 - each has its fate in the table of problems
                response = respond(problem_of(error))
            seconds = time.perf_counter() - began
            self.metrics.answered(method=method, route=path, status=response.status_code, seconds=seconds)
            return response

        return guarded

    def route_class(self) -> type[APIRoute]:
        """The class of FastAPI routes that stand behind this gate."""
        gate = self

        class GuardedRoute(APIRoute):
            def get_route_handler(self) -> Handler:
                [method] = self.methods or {""}
                return gate.guard(super().get_route_handler(), method=method, path=self.path)

        return GuardedRoute

    async def _admitted(self, request: Request, access: Access, add: Callable[[int], None]) -> Request:
        key = authorize(request.headers.get("authorization"), access=access, keys=self.keys)
        self.limits.let_in(key)
        _check_query(request, access.query)
        if access.body_max is None:
            request.state.asked = Asked(key, None)
            return request
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _JSON_TYPES:
            raise Refusal("not-json-type")
        raw = await self._body(request, longest=access.body_max, add=add)
        said = parse_json(raw, bytes_max=access.body_max)
        if isinstance(said, EventRefused):
            raise Refusal("not-json", said.detail)
        again = Request(request.scope, _receiver(raw))
        again.state.asked = Asked(key, said)
        return again

    async def _body(self, request: Request, *, longest: int, add: Callable[[int], None]) -> bytes:
        """The body, read no further than allowed, and waited for no longer than an answer may take."""
        told = request.headers.get("content-length", "")
        if told.isascii() and told.isdigit() and int(told) > longest:
            raise Refusal("too-large", f"at most {longest} bytes")
        received = bytearray()
        try:
            async with asyncio.timeout(self.timeout_s):
                async for chunk in request.stream():
                    received += chunk
                    if len(received) > longest:
                        raise Refusal("too-large", f"at most {longest} bytes")
                    add(len(chunk))
        except TimeoutError:
            raise Refusal("body-too-slow") from None
        return bytes(received)


def asked(request: Request) -> Asked:
    """What the gate established about the request."""
    established: Asked = request.state.asked
    return established


def _check_query(request: Request, allowed: Collection[str]) -> None:
    names = [name for name, _ in request.query_params.multi_items()]
    if unknown := sorted(set(names) - set(allowed)):
        raise Refusal("invalid", f"there is no parameter {unknown[0][:32]!r} here")
    if len(set(names)) != len(names):
        raise Refusal("invalid", "a parameter is given twice")


def _receiver(body: bytes) -> Callable[[], Awaitable[Message]]:
    """Hands a body that was read already to whoever asks for it."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
