"""Load over HTTP: as fast as some connections go, or at a set rate without waiting for answers to be sent first.

A client of few lines on bare sockets: it has to cost less than what it measures, since both share the machine.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

CONNECTIONS: Final = 16
_END: Final = b"\r\n\r\n"

Ask = Callable[[], bytes]
"""Makes the next request, head and all."""


class Load(NamedTuple):
    """What came of a load: requests answered well, failures, seconds, and each latency in seconds."""

    answered: int
    failed: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


def get(path: str, *, port: int, key: str) -> bytes:
    """A GET with a bearer key."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n\r\n"
    return head.encode()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> bool:
        """Send, and read the answer to its end; True for 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(_END)
        start = head.lower().index(b"content-length:") + len(b"content-length:")
        await self._reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
        return head.startswith(b"HTTP/1.1 200")

    def close(self) -> None:
        self._writer.close()


async def _connections(port: int, count: int) -> list[_Connection]:
    return [_Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]


async def closed_loop(ask: Ask, *, port: int, seconds: float, connections: int = CONNECTIONS) -> Load:
    """As many requests as the connections get answered, each sending its next one at once."""
    pool = await _connections(port, connections)
    latencies: list[float] = []
    failed = 0
    begin = time.perf_counter()

    async def keep_asking(connection: _Connection) -> None:
        nonlocal failed
        while (sent := time.perf_counter()) - begin < seconds:
            if await connection.ask(ask()):
                latencies.append(time.perf_counter() - sent)
            else:
                failed += 1

    await asyncio.gather(*(keep_asking(connection) for connection in pool))
    took = time.perf_counter() - begin
    for connection in pool:
        connection.close()
    return Load(len(latencies), failed, took, latencies)


async def open_loop(ask: Ask, *, port: int, rate: float, seconds: float, connections: int = 64) -> Load:
    """Requests at fixed moments, whatever became of the ones before; latency counts from the moment it was due."""
    pool = await _connections(port, connections)
    free: asyncio.Queue[_Connection] = asyncio.Queue()
    for connection in pool:
        free.put_nowait(connection)
    latencies: list[float] = []
    failed = 0
    begin = time.perf_counter()

    async def one(due: float) -> None:
        nonlocal failed
        connection = await free.get()
        try:
            if await connection.ask(ask()):
                latencies.append(time.perf_counter() - due)
            else:
                failed += 1
        finally:
            free.put_nowait(connection)

    async with asyncio.TaskGroup() as tasks:
        for due in _moments(begin, rate=rate, seconds=seconds):
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            tasks.create_task(one(due))
    took = time.perf_counter() - begin
    for connection in pool:
        connection.close()
    return Load(len(latencies), failed, took, latencies)


def _moments(begin: float, *, rate: float, seconds: float) -> Iterator[float]:
    return (begin + number / rate for number in range(int(rate * seconds)))


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed; nan of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
