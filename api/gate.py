"""The gate in front of every route: who asks, with what parameters, how large a body, how long it may take.

A route that is not in `api.auth.ROUTES` cannot be built, so that nothing is served by oversight.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

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
_FORM_TYPES: Final = frozenset({"application/x-www-form-urlencoded"})
_FIELDS_MAX: Final = 32


class Asked(NamedTuple):
    """What the gate established: the key, what the body says (None without one), the parameters of the query.

    The body is strict JSON, or a form: names and values.
    """

    key: ApiKey | None
    said: Any
    query: Mapping[str, str]


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
                response = await self._answered(request, access, handler)
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

    async def _answered(self, request: Request, access: Access, handler: Handler) -> Response:
        admitted = self._admitted(request, access)
        if access.body_max is None:
            return await self._handled(handler, admitted)
        with self.limits.body() as add:
            return await self._handled(handler, await self._with_body(admitted, access, access.body_max, add))

    async def _handled(self, handler: Handler, admitted: Request) -> Response:
        async with asyncio.timeout(self.timeout_s):
            return await handler(admitted)

    def _admitted(self, request: Request, access: Access) -> Request:
        key = authorize(request.headers.get("authorization"), access=access, keys=self.keys)
        self.limits.let_in(key)
        query = _query(request.scope["query_string"])
        if unknown := sorted({name for name, _ in query} - access.query):
            raise Refusal("invalid", f"there is no parameter {unknown[0][:32]!r} here")
        said_once = dict(query)
        if len(said_once) != len(query):
            raise Refusal("invalid", "a parameter is given twice")
        request.state.asked = Asked(key, None, said_once)
        return request

    async def _with_body(self, request: Request, access: Access, longest: int, add: Callable[[int], None]) -> Request:
        types, problem = (_FORM_TYPES, "not-a-form") if access.form else (_JSON_TYPES, "not-json-type")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in types:
            raise Refusal(problem)
        raw = await self._body(request, longest=longest, add=add)
        said = _form(raw) if access.form else parse_json(raw, bytes_max=longest)
        if isinstance(said, EventRefused):
            raise Refusal("not-json", said.detail)
        again = Request(request.scope, _receiver(raw))
        again.state.asked = asked(request)._replace(said=said)
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


@lru_cache(maxsize=1024)
def _query(text: bytes) -> tuple[tuple[str, str], ...]:
    """Names and values, as the framework reads them. Most requests say the same."""
    return tuple(parse_qsl(text.decode("latin-1"), keep_blank_values=True))


def _form(raw: bytes) -> dict[str, str]:
    try:
        fields = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
    except ValueError:
        raise Refusal("not-a-form", "it cannot be read") from None
    if len(dict(fields)) != len(fields):
        raise Refusal("invalid", "a field is given twice")
    return dict(fields)


def _receiver(body: bytes) -> Callable[[], Awaitable[Message]]:
    """Hands a body that was read already to whoever asks for it."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
