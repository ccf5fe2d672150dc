"""Commands of many callers in one pipeline: what is asked in one turn of the event loop, or meanwhile, goes together.

A round trip costs the client far more than a command, and the client's own pipeline three times what it has to.
Nothing waits for company: a turn lasts as long as whoever is ready to run.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import hiredis
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as NoAnswerInTime

from profiles.redis_library import Client

UNDER_WAY_MAX: Final = 2
"""Pipelines sent at once; more would only share the same answers among more round trips."""
ASKED_MAX: Final = 32
"""Callers whose commands go into one pipeline. All of them go on in the turn of the loop in which it is answered."""


class Commands:
    """Commands for one pipeline, named as the client names them; replies are the server's own, whatever it is."""

    def __init__(self) -> None:
        self.words: list[tuple[str | bytes | int, ...]] = []

    def packed(self) -> bytes:
        """All of them as the protocol has them."""
        pack: Callable[[Any], bytes] = hiredis.pack_command
        return b"".join(map(pack, self.words))

    def get(self, name: str) -> None:
        """Ask for a value: bytes, or None."""
        self.words.append(("GET", name))

    def hvals(self, name: str) -> None:
        """Ask for the values of a hash: a list of bytes."""
        self.words.append(("HVALS", name))

    def set(self, name: str, value: bytes, *, ex: int | None = None) -> None:
        """Put a value, to be forgotten after so many seconds (None: never)."""
        self.words.append(("SET", name, value) if ex is None else ("SET", name, value, "EX", ex))

    def eval(self, script: str, name: str, *arguments: str | bytes | int) -> None:
        """Run a script on one key."""
        self.words.append(("EVAL", script, 1, name, *arguments))


Add = Callable[[Commands], None]


@dataclass(slots=True)
class _Asked:
    add: Add
    answer: asyncio.Future[Sequence[Any]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Pipelining:
    """A way to the store that callers share. Commands of one caller stay together and in their order."""

    def __init__(self, client: Client) -> None:
        self._free: list[_Line | _Cluster] = [
            _Cluster(client) if isinstance(client, RedisCluster) else _Line(client) for _ in range(UNDER_WAY_MAX)
        ]
        self._waiting: list[_Asked] = []
        self._is_due = False
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, add: Add) -> Sequence[Any]:
        """The replies to the commands that `add` puts into a pipeline; the server's first error among them is raised.

        A caller that is cancelled leaves the others alone: its commands are sent all the same.
        """
        asked = _Asked(add)
        self._waiting.append(asked)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._send)
        return await asked.answer

    def _send(self) -> None:
        self._is_due = False
        while self._waiting and self._free:
            batch, self._waiting = self._waiting[:ASKED_MAX], self._waiting[ASKED_MAX:]
            sending = asyncio.get_running_loop().create_task(self._exchange(self._free.pop(), batch))
            self._under_way.add(sending)
            sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Task[None]) -> None:
        self._under_way.discard(sending)
        self._send()

    async def _exchange(self, line: "_Line | _Cluster", batch: Sequence[_Asked]) -> None:
        commands, ends = Commands(), []
        try:
            for asked in batch:
                asked.add(commands)
                ends.append(len(commands.words))
            replies = await line.exchange(commands)
        except Exception as error:  # noqa: BLE001 - each of the callers is told
            for asked in batch:
                _settle(asked.answer, [error])
        except BaseException:
            for asked in batch:
                asked.answer.cancel()
            raise
        else:
            for asked, start, end in zip(batch, [0, *ends], ends, strict=False):
                _settle(asked.answer, replies[start:end])
        finally:
            self._free.append(line)


class _Line:
    """A connection to a single server that is kept from one pipeline to the next."""

    def __init__(self, client: Redis) -> None:
        self._pool: Any = client.connection_pool
        self._connection: Any = None

    async def exchange(self, commands: Commands) -> list[Any]:
        """The replies, errors of single commands among them; whatever else goes wrong is raised."""
        if self._connection is None:
            self._connection = await self._pool.get_connection()
        else:
            # Looks whether the server has closed it meanwhile.
            await self._pool.ensure_connection(self._connection)
        connection = self._connection
        try:
            # One limit for all replies: the client would set up its own for each.
            async with asyncio.timeout(connection.socket_timeout):
                await connection.send_packed_command(commands.packed())
                return [await _reply(connection) for _ in commands.words]
        except TimeoutError as error:
            raise NoAnswerInTime("the server did not answer in time") from error


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


class _Cluster:
    """A cluster, whose client knows which server to ask."""

    def __init__(self, client: RedisCluster) -> None:
        self._client = client

    async def exchange(self, commands: Commands) -> list[Any]:
        """See `_Line`."""
        async with self._client.pipeline(transaction=False) as pipeline:
            for words in commands.words:
                pipeline.execute_command(*words)
            replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies


def _settle(answer: asyncio.Future[Sequence[Any]], replies: Sequence[Any]) -> None:
    if answer.done():
        return
    error = next((reply for reply in replies if isinstance(reply, Exception)), None)
    if error is None:
        answer.set_result(replies)
    else:
        answer.set_exception(error)
