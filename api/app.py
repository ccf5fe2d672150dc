"""The HTTP process put together: every route behind the gate, every failure a problem."""

from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api import consents, customers, events_routes, health, outcomes, outreach_routes, suggestions
from api.documents import openapi_of
from api.gate import Gate
from api.limits import Limits
from api.problems import problem_of, respond
from api.services import Services

VERSION: Final = "1"


def build_api(services: Services, limits: Limits | None = None) -> FastAPI:
    """The app over these services. It starts and stops none of them. Without `limits` they are the usual ones."""
    app = FastAPI(
        title="Rapport",
        version=VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    gate = Gate(keys=services.keys, metrics=services.metrics, timeout_s=services.timeout_s, limits=limits or Limits())
    app.router.routes.append(suggestions.build(services, gate))
    for room in (events_routes, customers, consents, outcomes, outreach_routes, health):
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
