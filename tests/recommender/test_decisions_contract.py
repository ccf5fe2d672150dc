"""What every place that remembers decisions does."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from embedded.ports import free_port
from events.keys import FAMILIES
from profiles.redis_store import redis_client
from recommender.decisions import Decision, Decisions, DecisionsUnavailable, MemoryDecisions
from recommender.redis_decisions import RedisDecisions
from tests.builders import NOW, pseudonym
from tests.servers import ValkeyCluster

DECISION = Decision(
    id="0" * 32,
    identity=pseudonym("app:42"),
    services=("diapers", "pram"),
    channel=None,
    mode="general",
    model="m",
    catalogue="c",
    valid_until=NOW,
)


@pytest.fixture(params=["memory", *(pytest.param(kind, marks=pytest.mark.servers) for kind in ("redis", "cluster"))])
async def decisions(request: pytest.FixtureRequest) -> AsyncIterator[Decisions]:
    if request.param == "memory":
        yield MemoryDecisions()
        return
    if request.param == "cluster":
        cluster: ValkeyCluster = request.getfixturevalue("valkey_cluster")
        cluster.flush()
        client = redis_client(cluster.url, cluster=True)
    else:
        client = redis_client(request.getfixturevalue("valkey_url"), cluster=False)
    try:
        yield RedisDecisions(client)
    finally:
        await client.aclose()


async def test_a_decision_that_was_kept_is_found_as_it_was(decisions: Decisions) -> None:
    await decisions.keep(DECISION)
    await decisions.keep(DECISION)

    assert await decisions.get(DECISION.id) == DECISION


async def test_one_that_was_not_kept_is_not(decisions: Decisions) -> None:
    assert await decisions.get("1" * 32) is None


@pytest.mark.servers
async def test_a_decision_is_forgotten_after_its_time(valkey_url: str) -> None:
    client = Redis.from_url(valkey_url, protocol=2)
    await RedisDecisions(client).keep(DECISION)
    [key] = await client.keys("*")

    assert 0 < await client.ttl(key) <= (FAMILIES["decision"].lifetime_s or 0)
    for stored in (b"\xc1", b"\x91\xa2\xff\xfe"):
        await client.set(key, stored)
        with pytest.raises(DecisionsUnavailable):
            await RedisDecisions(client).get(DECISION.id)
    await client.aclose()


async def test_a_store_that_is_away_is_named() -> None:
    client = redis_client(f"redis://127.0.0.1:{free_port()}", cluster=False, timeout_s=1)

    with pytest.raises(DecisionsUnavailable):
        await RedisDecisions(client).keep(DECISION)
    await client.aclose()
