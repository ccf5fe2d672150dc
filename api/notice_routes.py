"""The notices as they stand, for whoever asks a person to agree: what to show or read out, and how to name it."""

from dataclasses import dataclass

from fastapi import APIRouter

from api.gate import Gate
from api.services import Services
from consent.notices import Texts
from consent.purposes import PURPOSES
from events.shape import Shape


class Told(Shape):
    """What a person is told about a purpose before they answer; an act names it by `notice`.

    `hash` is the SHA-256 (hex) of everything this version says.
    """

    notice: str
    hash: str
    texts: Texts


class CurrentNotices(Shape):
    """The notice in force for each purpose."""

    notices: dict[str, Told]


@dataclass(frozen=True, slots=True)
class NoticeRoutes:
    """Notices over HTTP."""

    services: Services

    def mount(self, router: APIRouter) -> None:
        """Add the route."""
        router.add_api_route(
            "/v1/notices",
            self.current,
            methods=["GET"],
            response_model=CurrentNotices,
            summary="See what to tell a person before they agree",
            tags=["consents"],
        )

    async def current(self) -> CurrentNotices:
        """The newest version in force of what is said about each purpose, in every language."""
        now = self.services.clock()
        told = {
            purpose: Told(notice=notice.ref, hash=notice.hash, texts=notice.texts)
            for purpose, notice in self.services.notices.told_of(PURPOSES, at=now, known_at=now)
        }
        return CurrentNotices(notices=told)


def build(services: Services, gate: Gate) -> APIRouter:
    """The routes of this module behind the gate."""
    router = APIRouter(route_class=gate.route_class())
    NoticeRoutes(services).mount(router)
    return router
