"""The HTTP process put together: every route behind the gate, every failure a problem."""

from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api import (
    consents,
    customers,
    events_routes,
    health,
    notice_routes,
    officer_routes,
    outcomes,
    outreach_routes,
    preferences,
    receipt_routes,
    rights_routes,
    suggestions,
    telling_routes,
)
from api.documents import openapi_of
from api.gate import Gate
from api.limits import Limits
from api.problems import problem_of, respond
from api.services import Services

VERSION: Final = "1"


class _Api(FastAPI):
    """An app that answers its hot route at once: the layers in front of the others are not for it.

    They tell failures, which the gate has told by then, and read bodies, which the route has none of.
    """

    hot: Route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_plain_get = scope["type"] == "http" and scope["method"] == "GET" and not scope.get("root_path")
        if not is_plain_get or (found := self.hot.path_regex.match(scope["path"])) is None:
            await super().__call__(scope, receive, send)
            return
        scope["path_params"] = found.groupdict()
        response: Response = await self.hot.endpoint(Request(scope, receive))
        await response(scope, receive, send)


def build_api(services: Services, limits: Limits | None = None) -> FastAPI:
    """The app over these services. It starts and stops none of them. Without `limits` they are the usual ones."""
    app = _Api(
        title="Rapport",
        version=VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    gate = Gate(keys=services.keys, metrics=services.metrics, timeout_s=services.timeout_s, limits=limits or Limits())
    app.hot = suggestions.build(services, gate)
    app.router.routes.append(app.hot)
    rooms = (
        events_routes,
        customers,
        consents,
        notice_routes,
        preferences,
        rights_routes,
        outcomes,
        outreach_routes,
        officer_routes,
        receipt_routes,
        telling_routes,
        health,
    )
    for room in rooms:
        app.include_router(room.build(services, gate))
    app.router.routes.append(_description(app, gate))
    app.add_exception_handler(HTTPException, _unrouted)
    return app


def _description(app: FastAPI, gate: Gate) -> Route:
    written: dict[str, Any] = {}

    async def describe(_request: Request) -> Response:
        if not written:
            written.update(openapi_of(app))
        return JSONResponse(written)

    return Route("/openapi.json", gate.guard(describe, method="GET", path="/openapi.json"), methods=["GET"])


async def _unrouted(_request: Request, error: Exception) -> Response:
    """No such route, or no such method there."""
    return respond(problem_of(error))
