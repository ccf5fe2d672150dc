"""Nothing is answered that may rest on a store the profiles have left."""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, respond

ABOUT_THE_PROCESS: Final = frozenset({"/health", "/ready", "/metrics", "/openapi.json"})
"""Answered all the same: by these one sees what is wrong."""


class Fence:
    """An app that answers only while `refusal` gives no reason against it.

    It is asked again when the answer is ready: what was written meanwhile is acknowledged only if it still counts.
    """

    def __init__(self, app: ASGIApp, *, refusal: Callable[[], str | None]) -> None:
        self._app = app
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"] in ABOUT_THE_PROCESS:
            await self._app(scope, receive, send)
            return
        refused = False

        async def sent(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and self._refusal() is not None:
                refused = True
                await respond(Problem("left"))(scope, receive, send)
            if not refused:
                await send(message)

        if self._refusal() is not None:
            await respond(Problem("left"))(scope, receive, send)
        else:
            await self._app(scope, receive, sent)
