"""Callers that share pipelines: each gets its own replies, whatever happens to the others."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import exceptions

from profiles.redis_library import Client
from profiles.redis_pipelining import ASKED_MAX, UNDER_WAY_MAX, Add, Commands, Pipelining
from profiles.redis_store import redis_client
from tests.servers import embedded_store
from tests.waiting import eventually


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Client]:
    client = redis_client(valkey_url, cluster=False)
    yield client
    await client.aclose()


def setting(name: str, value: str) -> Add:
    def add(commands: Commands) -> None:
        commands.set(name, value.encode())
        commands.get(name)

    return add


def getting(name: str) -> Add:
    return lambda commands: commands.get(name)


async def connect(way: Pipelining) -> None:
    """Make every connection the way has: each pipeline under way takes one."""
    await asyncio.gather(*(way.ask(setting("k0", "early")) for _ in range(UNDER_WAY_MAX * ASKED_MAX)))


async def test_each_caller_gets_its_own_replies_in_order(client: Client) -> None:
    way = Pipelining(client)

    replies = await asyncio.gather(*(way.ask(setting(f"k{n}", f"v{n}")) for n in range(3 * ASKED_MAX)))

    assert [list(reply) for reply in replies] == [[b"OK", f"v{n}".encode()] for n in range(3 * ASKED_MAX)]


async def test_what_is_asked_in_one_turn_of_the_loop_goes_out_together(client: Client) -> None:
    way = Pipelining(client)
    await connect(way)
    before = (await client.info("stats"))["total_reads_processed"]

    await asyncio.gather(*(way.ask(getting("k")) for _ in range(ASKED_MAX)))

    # A read for the one pipeline, and one for `info`.
    assert (await client.info("stats"))["total_reads_processed"] - before == 2


async def test_no_more_callers_than_a_few_go_on_at_once(client: Client) -> None:
    way = Pipelining(client)
    await connect(way)
    before = (await client.info("stats"))["total_reads_processed"]

    await asyncio.gather(*(way.ask(getting("k")) for _ in range(3 * ASKED_MAX)))

    assert (await client.info("stats"))["total_reads_processed"] - before >= 3 + 1


async def test_who_asks_last_is_not_answered_first(client: Client) -> None:
    way = Pipelining(client)
    await connect(way)
    answered: list[int] = []

    async def ask(number: int) -> None:
        await way.ask(getting("k"))
        answered.append(number)

    await asyncio.gather(*(ask(number) for number in range((UNDER_WAY_MAX + 1) * ASKED_MAX)))

    assert max(answered[:ASKED_MAX]) < UNDER_WAY_MAX * ASKED_MAX


async def test_an_error_is_told_to_the_caller_whose_command_it_was(client: Client) -> None:
    way = Pipelining(client)
    await client.set("text", "no hash")

    answers = await asyncio.gather(
        way.ask(lambda commands: commands.hvals("text")), way.ask(setting("k", "v")), return_exceptions=True
    )

    assert isinstance(answers[0], exceptions.ResponseError)
    assert answers[1] == [b"OK", b"v"]


async def test_a_caller_that_gives_up_leaves_the_others_alone(client: Client) -> None:
    way = Pipelining(client)
    asking = [asyncio.create_task(way.ask(setting(f"k{n}", "v"))) for n in range(10)]
    await asyncio.wait(asking, timeout=0)
    for task in asking[::2]:
        task.cancel()

    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert all(answer == [b"OK", b"v"] for answer in answers[1::2])


async def test_a_store_that_is_away_is_told_to_everyone_who_asks() -> None:
    away = Pipelining(redis_client("redis://127.0.0.1:1/0", cluster=False))

    answers = await asyncio.gather(*(away.ask(setting("k", "v")) for _ in range(5)), return_exceptions=True)

    assert all(isinstance(answer, exceptions.ConnectionError) for answer in answers)
    with pytest.raises(exceptions.ConnectionError):
        await away.ask(setting("k", "v"))


async def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(client: Client) -> None:
    way = Pipelining(client)
    await connect(way)
    await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    for _ in range(2 * UNDER_WAY_MAX):
        assert await way.ask(setting("k", "v")) == [b"OK", b"v"]


async def test_replies_that_come_too_late_are_given_to_nobody(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as store:
        client = redis_client(store.url, cluster=False, timeout_s=4.0)
        way = Pipelining(client)
        await connect(way)
        os.kill(store.pid, signal.SIGSTOP)
        try:
            late = await asyncio.gather(*(way.ask(getting("k0")) for _ in range(5)), return_exceptions=True)
        finally:
            os.kill(store.pid, signal.SIGCONT)

        assert all(isinstance(answer, exceptions.TimeoutError) for answer in late)

        async def goes_on() -> bool:
            with suppress(exceptions.TimeoutError):
                return await way.ask(setting("k", "afterwards")) == [b"OK", b"afterwards"]
            return False

        await eventually(goes_on)
        await client.aclose()
