"""Whoever asks the API over HTTP while it is killed: again until there is an answer, and each attempt has its moments.

All moments are seconds of one monotonic clock. What is on its way at any moment can be looked at from another thread.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

import httpx

from api.auth import Role

Kind = Literal["withdrawal", "claim", "suggestion", "lookup"]

PATIENCE_S: Final = 90.0
AGAIN_S: Final = 0.05
_UNSETTLED: Final = (
    httpx.codes.SERVICE_UNAVAILABLE,
    httpx.codes.GATEWAY_TIMEOUT,
    httpx.codes.INTERNAL_SERVER_ERROR,
    # All who leave by a link come from one address here, and ask again and again while the store is away.
    httpx.codes.TOO_MANY_REQUESTS,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one attempt that was `sent` and fully read at `answered`."""

    sent: float
    answered: float
    status: int
    body: Any


@dataclass(slots=True)
class Tries:
    """What became of one request in the end: when it was first sent, its answer, and attempts that came to nothing."""

    began: float
    answer: Answer
    cut: int
    unsettled: int


class NoAnswer(Exception):
    """The API gave no answer for longer than it may be away."""


@dataclass(eq=False)
class Caller:
    """Asks with the keys of every role. `under_way` and `cut` count attempts by kind: open now, and lost so far."""

    http: httpx.AsyncClient
    keys: Mapping[Role, str] = field(repr=False)
    under_way: dict[Kind, int] = field(default_factory=dict)
    cut: dict[Kind, int] = field(default_factory=dict)

    @classmethod
    def at(cls, url: str, keys: Mapping[Role, str]) -> Self:
        """A caller of its own connections; to be closed by `http.aclose`."""
        limits = httpx.Limits(max_connections=128, max_keepalive_connections=128)
        return cls(httpx.AsyncClient(base_url=url, timeout=30, limits=limits), keys)

    async def ask(
        self, kind: Kind, method: str, path: str, *, role: Role = Role.AGENT, body: Any = None, data: Any = None
    ) -> Tries:
        """Ask until the API answers; NoAnswer when it has not for too long. A no of any other kind is an answer."""
        began, cut, unsettled = time.monotonic(), 0, 0
        headers = {"Authorization": f"Bearer {self.keys[role]}"} if data is None else {}
        while time.monotonic() - began < PATIENCE_S:
            sent, pause_s = time.monotonic(), AGAIN_S
            try:
                with self._counted(kind):
                    response = await self.http.request(method, path, headers=headers, json=body, data=data)
            except httpx.TransportError:
                cut += 1
                self.cut[kind] = self.cut.get(kind, 0) + 1
            else:
                answered = time.monotonic()
                if response.status_code not in _UNSETTLED:
                    return Tries(began, Answer(sent, answered, response.status_code, _said(response)), cut, unsettled)
                unsettled += 1
                if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                    pause_s = float(response.headers["Retry-After"])
            await pass_until(time.monotonic() + pause_s)
        raise NoAnswer(f"{kind}: {cut} attempts were cut off, {unsettled} came to nothing")

    @contextmanager
    def _counted(self, kind: Kind) -> Iterator[None]:
        self.under_way[kind] = self.under_way.get(kind, 0) + 1
        try:
            yield
        finally:
            self.under_way[kind] -= 1

    def open(self, *kinds: Kind) -> int:
        """How many attempts of these kinds are on their way."""
        return sum(self.under_way.get(kind, 0) for kind in kinds)


async def pass_until(moment: float) -> None:
    """Let time pass, as a load does between two of its requests."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(moment):
            await asyncio.Event().wait()


def _said(response: httpx.Response) -> Any:
    return response.json() if "json" in response.headers.get("content-type", "") else response.text
