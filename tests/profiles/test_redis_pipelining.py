"""Callers that share pipelines: each gets its own replies, whatever happens to the others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import exceptions

from profiles.redis_library import Client
from profiles.redis_pipelining import ASKED_MAX, UNDER_WAY_MAX, Pipelining
from profiles.redis_store import redis_client


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Client]:
    client = redis_client(valkey_url, cluster=False)
    yield client
    await client.aclose()


def setting(name: str, value: str) -> Any:
    return lambda pipeline: pipeline.set(name, value).get(name)


async def test_each_caller_gets_its_own_replies_in_order(client: Client) -> None:
    way = Pipelining(client)

    replies = await asyncio.gather(*(way.ask(setting(f"k{n}", f"v{n}")) for n in range(3 * ASKED_MAX)))

    assert [list(reply) for reply in replies] == [[True, f"v{n}".encode()] for n in range(3 * ASKED_MAX)]


async def test_what_is_asked_meanwhile_goes_out_together(client: Client) -> None:
    way = Pipelining(client)
    before = (await client.info("stats"))["total_reads_processed"]

    await asyncio.gather(*(way.ask(lambda pipeline: pipeline.ping()) for _ in range(100)))

    # One read for each pipeline: two callers that found the way free, and one pipeline for the other 98.
    assert (await client.info("stats"))["total_reads_processed"] - before <= UNDER_WAY_MAX + 1 + 4


async def test_an_error_is_told_to_the_caller_whose_command_it_was(client: Client) -> None:
    way = Pipelining(client)
    await client.set("text", "no number")

    answers = await asyncio.gather(
        way.ask(lambda pipeline: pipeline.incr("text")), way.ask(setting("k", "v")), return_exceptions=True
    )

    assert isinstance(answers[0], exceptions.ResponseError)
    assert answers[1] == [True, b"v"]


async def test_a_caller_that_gives_up_leaves_the_others_alone(client: Client) -> None:
    way = Pipelining(client)
    asking = [asyncio.create_task(way.ask(setting(f"k{n}", "v"))) for n in range(10)]
    await asyncio.wait(asking, timeout=0)
    for task in asking[::2]:
        task.cancel()

    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert all(answer == [True, b"v"] for answer in answers[1::2])


async def test_a_store_that_is_away_is_told_to_everyone_who_asks() -> None:
    away = Pipelining(redis_client("redis://127.0.0.1:1/0", cluster=False))

    answers = await asyncio.gather(*(away.ask(setting("k", "v")) for _ in range(5)), return_exceptions=True)

    assert all(isinstance(answer, exceptions.ConnectionError) for answer in answers)
    with pytest.raises(exceptions.ConnectionError):
        await away.ask(setting("k", "v"))
