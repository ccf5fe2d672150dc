"""Clients that are slow, many, or loud, against the server that `rapport api` starts."""

import asyncio
import contextlib
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.limits import BODIES_BYTES_MAX
from commands.api import HEADERS_BYTES_MAX, http_server
from embedded.ports import LOOPBACK, free_port
from tests.api.world import World
from tests.builders import event, raw
from tests.waiting import HANGS_S, eventually

CONNECTIONS = 1000
GROWTH_MAX_KB = 64 * 1024


class Served:
    """A world behind a real server."""

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        self.port = port
        self.open: list[asyncio.StreamWriter] = []

    async def connection(self, sent: bytes) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        self.open.append(writer)
        writer.write(sent)
        await writer.drain()
        return reader

    async def answer(self, sent: bytes) -> str:
        """All that the server says until it closes, or for as long as a test waits."""
        reader = await self.connection(sent)
        return (await asyncio.wait_for(reader.read(), HANGS_S)).decode()

    async def is_healthy(self) -> bool:
        try:
            async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self.port}", timeout=5) as client:
                return (await client.get("/health")).status_code == 200
        except httpx.HTTPError:
            return False

    def head(self, length: int, *, key: str = "ingest", more: str = "") -> bytes:
        """The head of a request whose body has that length."""
        return (
            f"POST /v1/events HTTP/1.1\r\nHost: rapport\r\nAuthorization: Bearer {self.world.keys.shown[key]}\r\n"
            f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n"
        ).encode()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A server that waits for longer than any test takes."""
    async with serving(tmp_path, patience_s=HANGS_S) as patient:
        yield patient


@pytest.fixture
async def hurried(tmp_path: Path) -> AsyncIterator[Served]:
    """A server that waits for a second."""
    async with serving(tmp_path, patience_s=1.0) as soon_out_of_patience:
        yield soon_out_of_patience


@contextlib.asynccontextmanager
async def serving(folder: Path, *, patience_s: float) -> AsyncIterator[Served]:
    world = World(folder).with_services(timeout_s=patience_s)
    await world.log.start()
    served = Served(world, free_port())
    server = http_server(world.app, host=LOOPBACK, port=served.port, headers_ms=round(patience_s * 1000))
    running = asyncio.create_task(server.serve())
    await eventually(served.is_healthy, what="the server")
    yield served
    for writer in served.open:
        writer.close()
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait_for(running, HANGS_S)


def memory_kb() -> int:
    """What this process holds of memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


async def test_a_whole_request_is_answered(served: Served) -> None:
    body = raw(event("service.visited", place="shop"))

    assert (await served.answer(served.head(len(body)) + body)).startswith("HTTP/1.1 202")


async def test_half_a_body_is_waited_for_and_no_longer(hurried: Served) -> None:
    said = await hurried.answer(hurried.head(1000) + b'{"specversion"')

    assert said.startswith("HTTP/1.1 408")
    assert "urn:rapport:problem:body-too-slow" in said


async def test_headers_that_stop_are_waited_for_and_no_longer(hurried: Served) -> None:
    said = await hurried.answer(b"POST /v1/events HTTP/1.1\r\nHost: rap")

    assert "Traceback" not in said
    assert said == "" or said.startswith(("HTTP/1.1 408", "HTTP/1.1 400"))


async def test_headers_too_large_are_refused(served: Served) -> None:
    said = await served.answer(served.head(0, more=f"X-Long: {'x' * 2 * HEADERS_BYTES_MAX}\r\n"))

    assert said.startswith("HTTP/1.1 431")


@pytest.mark.parametrize("sent", [b"\x00" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00", b"hello\r\n\r\n"])
async def test_what_is_not_http_is_refused_and_harms_nobody(served: Served, sent: bytes) -> None:
    said = await served.answer(sent)

    assert said == "" or said.startswith("HTTP/1.1 4")
    assert await served.is_healthy()


async def test_two_lengths_are_not_two_requests(served: Served) -> None:
    body = raw(event("service.visited", place="shop"))
    said = await served.answer(served.head(len(body), more="Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n" + body)

    assert said.count("HTTP/1.1 ") <= 1
    assert not said.startswith("HTTP/1.1 2")


async def test_a_thousand_connections_that_say_nothing_leave_room_for_one_that_does(served: Served) -> None:
    before = memory_kb()
    for _ in range(CONNECTIONS):
        await served.connection(b"GET /health HTTP/1.1\r\n")

    assert await served.is_healthy()
    body = json.dumps([event("service.visited", place=f"shop-{at}") for at in range(100)]).encode()
    assert (await served.answer(served.head(len(body)) + body)).startswith("HTTP/1.1 202")
    assert memory_kb() - before < GROWTH_MAX_KB


async def test_bodies_that_stop_half_way_give_their_place_back(hurried: Served) -> None:
    """More of them than a process holds."""
    body = raw(event("service.visited", place="shop"))
    half = BODIES_BYTES_MAX // 20
    for _ in range(30):
        with contextlib.suppress(ConnectionError):
            await hurried.connection(hurried.head(2 * half) + b"[" * half)

    async def is_taken() -> bool:
        return (await hurried.answer(hurried.head(len(body)) + body)).startswith("HTTP/1.1 202")

    await eventually(is_taken, what="room for a body")
