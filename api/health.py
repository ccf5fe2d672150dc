"""Is it alive, may it be relied on, what did it count."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from api.gate import Gate
from api.services import Probe, Services
from events.shape import Shape

PROBE_S: Final = 2.0

T = TypeVar("T")


class Alive(Shape):
    """The process answers."""

    status: str = "alive"


class Readiness(Shape):
    """Whether the service may be relied on: `reasons` by what is at fault, `notes` for what works with less."""

    ready: bool
    reasons: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HealthRoutes:
    """What those who run the service ask it."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the routes."""
        router.add_api_route("/health", self.health, methods=["GET"], response_model=Alive, tags=["operation"])
        router.add_api_route(
            "/ready",
            self.ready,
            methods=["GET"],
            response_model=Readiness,
            responses={503: {"model": Readiness, "description": "Not to be relied on, see `reasons`"}},
            tags=["operation"],
        )
        router.add_api_route(
            "/metrics", self.metrics, methods=["GET"], response_class=PlainTextResponse, tags=["operation"]
        )

    async def health(self) -> Alive:
        """Tell that the process answers, whatever it rests on."""
        return Alive()

    async def ready(self) -> JSONResponse:
        """Ask store, log and workers."""
        answers = await asyncio.gather(*map(_asked, self.services.probes.values()))
        reasons = {name: answer for name, answer in zip(self.services.probes, answers, strict=True) if answer}
        readiness = Readiness(ready=not reasons, reasons=reasons, notes=self._notes())
        return JSONResponse(readiness.model_dump(mode="json"), 503 if reasons else 200)

    async def metrics(self) -> PlainTextResponse:
        """All counters in Prometheus' text format, the lag the workers said last, and the holds that wait."""
        lags, holds = await asyncio.gather(_known(self.services.lags()), _known(self.services.holding()))
        self.services.metrics.behind(lags or {})
        self.services.metrics.holding(holds)
        return PlainTextResponse(self.services.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def _notes(self) -> tuple[str, ...]:
        model = self.services.model
        untrained = model.artifact.manifest.window is None
        missing = ["no model is trained yet: suggestions go by the catalogue alone"] if untrained else []
        broken = ["the current model cannot be trusted: an earlier one is served"] if model.problem else []
        return tuple(missing + broken)


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    HealthRoutes(services).mount(router)
    return router


async def _known(figure: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(PROBE_S):
            return await figure
    except Exception:  # noqa: BLE001 - whatever is wrong, the figure is unknown, and the counters help to see why
        return None


async def _asked(probe: Probe) -> str | None:
    try:
        async with asyncio.timeout(PROBE_S):
            return await probe()
    except TimeoutError:
        return "no answer in time"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it cannot be relied on
        return f"no answer ({type(error).__name__})"
