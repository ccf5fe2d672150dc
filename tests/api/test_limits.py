"""What one key, and all bodies together, may take of a process."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.app import build_api
from api.auth import Role
from api.events_routes import AT_ONCE
from api.limits import BURST_S, Bucket, Limits, filled, wait_s
from tests.api.world import World, problem
from tests.builders import event

RATE = 5
FULL = float(RATE * BURST_S)


class Clock:
    """Seconds that pass when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(world: World, clock: Clock) -> World:
    """A world where the key `till` may send five a second, and `other` too."""
    for name in ("till", "other"):
        world.keys.add(Role.INGEST, name=name, source="crm", types=("*",), rate=RATE)
    world.app = build_api(world.services, Limits(clock=clock))
    return world


def visits(count: int) -> list[dict[str, Any]]:
    return [event("service.visited", place=f"shop-{at}") for at in range(count)]


def test_a_new_bucket_is_full_and_a_taken_one_fills_at_its_rate() -> None:
    assert filled(None, now=5.0, rate=RATE) == Bucket(FULL, 5.0)
    assert filled(Bucket(1.0, 5.0), now=5.5, rate=RATE) == Bucket(3.5, 5.5)
    assert filled(Bucket(1.0, 5.0), now=500.0, rate=RATE) == Bucket(FULL, 500.0)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    assert filled(Bucket(1.0, 5.0), now=4.0, rate=RATE) == Bucket(1.0, 4.0)


@pytest.mark.parametrize(("tokens", "seconds"), [(1.0, 0), (0.5, 1), (0.0, 1), (-4.0, 1), (-4.1, 2), (-990.0, 199)])
def test_the_wait_is_until_there_is_a_token(tokens: float, seconds: int) -> None:
    assert wait_s(Bucket(tokens, 0.0), rate=RATE) == seconds


async def test_a_key_that_sends_too_much_is_told_when_to_come_back_and_keeps_nobody_else_out(
    limited: World, clock: Clock
) -> None:
    for _ in range(int(FULL)):
        assert (await limited.send(visits(1), key="till")).status_code == 202

    refused = await limited.send(visits(1), key="till")

    assert (refused.status_code, problem(refused), refused.headers["retry-after"]) == (429, "too-many", "1")
    assert (await limited.send(visits(1), key="other")).status_code == 202
    clock.now += 1
    assert (await limited.send(visits(1), key="till")).status_code == 202


async def test_each_event_of_a_batch_counts(limited: World, clock: Clock) -> None:
    assert (await limited.send(visits(50), key="till")).status_code == 202

    refused = await limited.send(visits(1), key="till")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "9")
    clock.now += 9
    assert (await limited.send(visits(1), key="till")).status_code == 202


async def test_what_is_no_event_at_all_counts_too(limited: World) -> None:
    headers = {"Content-Type": "application/json"}
    for _ in range(int(FULL)):
        await limited.ask("POST", "/v1/events", key="till", content=b"{", headers=headers)

    assert problem(await limited.send(visits(1), key="till")) == "too-many"


async def test_a_flood_without_a_key_takes_nothing_of_anybody(limited: World) -> None:
    for _ in range(50):
        assert (await limited.send(visits(1), key="rapport_00000000_wrong")).status_code == 401

    assert (await limited.send(visits(1), key="till")).status_code == 202


async def test_bodies_beyond_what_a_process_holds_are_refused_and_make_room_at_their_end(world: World) -> None:
    world.app = build_api(world.services, Limits(bodies_bytes_max=10_000))
    reached, going_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b" " * 6_000
        reached.set()
        await going_on.wait()
        yield b"[]"

    headers = {"Content-Type": "application/json"}
    first = asyncio.create_task(world.ask("POST", "/v1/events", key="ingest", content=slow(), headers=headers))
    await reached.wait()
    busy = await world.ask("POST", "/v1/events", key="ingest", content=b" " * 6_000, headers=headers)
    going_on.set()

    assert (busy.status_code, problem(busy), busy.headers["retry-after"]) == (503, "busy", "1")
    assert problem(await first) == "invalid"
    assert (await world.send(visits(30))).status_code == 202


async def test_a_body_that_never_ends_is_waited_for_no_longer_than_an_answer(world: World) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.Event().wait()

    answer = await world.with_services(timeout_s=0.05).ask(
        "POST", "/v1/events", key="ingest", content=half(), headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, problem(answer)) == (408, "body-too-slow")


async def test_a_large_batch_lets_others_have_their_turn(world: World) -> None:
    turns = itertools.count()
    loop = asyncio.get_running_loop()
    is_over = False

    def take_a_turn() -> None:
        next(turns)
        if not is_over:
            loop.call_soon(take_a_turn)

    loop.call_soon(take_a_turn)
    answer = await world.send(visits(1000))
    is_over = True

    assert answer.status_code == 202
    assert next(turns) >= 1000 // AT_ONCE
