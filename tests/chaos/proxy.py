"""A TCP proxy that misbehaves when told to: it delays, dribbles, falls silent, cuts, or loses the far end.

Every proxy of a run lives in one thread with a loop of its own; its methods may be called from any other thread.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol, Self, TypeVar

from embedded.ports import LOOPBACK
from tests.waiting import HANGS_S

CHUNK = 64 * 1024

T = TypeVar("T")


class Tap(Protocol):
    """Sees the bytes of each link (by number) go by, and may hold them: True keeps them until the link is dropped."""

    def asked(self, link: int, data: bytes) -> bool:
        """Bytes on their way to the server."""
        ...

    def answered(self, link: int, data: bytes) -> bool:
        """Bytes on their way back."""
        ...

    def closed(self, link: int) -> None:
        """The link is gone."""
        ...


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bytes travel: each piece of at most `piece` bytes waits `delay_s`; `silent` lets none through."""

    delay_s: float = 0.0
    piece: int = CHUNK
    silent: bool = False


CLEAR = Weather()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    taken = writer.get_extra_info("socket")
    with suppress(OSError):
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass(eq=False)
class _Link:
    number: int
    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    is_lost: bool = False
    is_cut: bool = False

    def reset(self) -> None:
        """Both ends are told at once, and what is on its way is lost."""
        self.is_cut = True
        reset(self.near)
        reset(self.far)

    def close(self) -> None:
        """One end closed, so the other is: what is on its way arrives."""
        self.near.close()
        self.far.close()


@dataclass(eq=False)
class Proxy:
    """Stands on `port` in front of `target`; made by `Proxies.open`."""

    target: int
    tap: Tap | None
    loop: asyncio.AbstractEventLoop
    port: int = 0
    weather: Weather = CLEAR
    _links: dict[int, _Link] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _turned: asyncio.Event = field(default_factory=asyncio.Event)

    def turn(self, weather: Weather) -> None:
        """Change how bytes travel from now on; what waits under the old weather goes by the new one."""
        self._soon(self._turn, weather)

    def cut(self) -> int:
        """Reset every connection; how many there were. New ones are taken."""
        return int(self._soon(self._cut))

    def lose_far_end(self) -> int:
        """Half-open: the server's ends are gone and nobody told the clients, who wait on; how many there were."""
        return int(self._soon(self._lose_far_end))

    def waiting_for_nobody(self) -> int:
        """How many of those connections the clients have not given up."""
        return sum(link.is_lost for link in list(self._links.values()))

    def _soon(self, act: Callable[..., Any], *words: Any) -> Any:
        async def acting() -> Any:
            return act(*words)

        return asyncio.run_coroutine_threadsafe(acting(), self.loop).result(timeout=HANGS_S)

    def _turn(self, weather: Weather) -> None:
        self.weather = weather
        self._turned.set()
        self._turned = asyncio.Event()

    def _cut(self) -> int:
        links = list(self._links.values())
        for link in links:
            link.reset()
        return len(links)

    def _lose_far_end(self) -> int:
        links = [link for link in self._links.values() if not link.is_lost]
        for link in links:
            link.is_lost = True
            reset(link.far)
        return len(links)

    async def serve(self) -> asyncio.Server:
        """Listen; the port is known afterwards."""
        server = await asyncio.start_server(self._taken, LOOPBACK, self.port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            reset(writer)
            return
        link = _Link(next(self._numbers), writer, far_writer)
        self._links[link.number] = link
        there = self._carry(link, reader, far_writer, self.tap.asked if self.tap else None)
        back = self._carry(link, far_reader, writer, self.tap.answered if self.tap else None)
        ways = {asyncio.create_task(there), asyncio.create_task(back)}
        try:
            _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if link.is_lost:
                await asyncio.wait(rest)
        finally:
            for way in ways:
                way.cancel()
            link.close()
            del self._links[link.number]
            if self.tap:
                self.tap.closed(link.number)

    async def _carry(
        self,
        link: _Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        look: Callable[[int, bytes], bool] | None,
    ) -> None:
        """One direction, until either end is gone; a lost link swallows what its client still says."""
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if link.is_cut:
                    return
                if link.is_lost:
                    continue
                if look and look(link.number, data):
                    await asyncio.Event().wait()  # held for good: the link is cancelled or cut
                await self._pass_on(writer, data)

    async def _pass_on(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        while data:
            turned = self._turned
            if self.weather.silent:
                await turned.wait()
                continue
            if self.weather.delay_s:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.weather.delay_s):
                        await turned.wait()
                        continue
            piece, data = data[: self.weather.piece], data[self.weather.piece :]
            writer.write(piece)
            await writer.drain()


class Proxies:
    """The thread that all proxies of a run live in; a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._open: list[Proxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=HANGS_S)
        self._loop.close()

    def open(self, *, target: int, port: int = 0, tap: Tap | None = None) -> Proxy:
        """A proxy in front of a loopback port; `port` 0 takes a free one."""
        return self._run(self._opened(Proxy(target, tap, self._loop, port)))

    async def _opened(self, proxy: Proxy) -> Proxy:
        self._servers.append(await proxy.serve())
        self._open.append(proxy)
        return proxy

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=HANGS_S)
