"""What every place that remembers decisions does."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from embedded.ports import free_port
from events.keys import FAMILIES, global_key
from profiles.redis_store import redis_client
from recommender.decisions import LOOKS_MAX, Decision, Decisions, DecisionsUnavailable, MemoryDecisions
from recommender.redis_decisions import RedisDecisions
from tests.builders import DAY, HOUR, MINUTE, NOW, pseudonym, shown
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
    await decisions.keep(DECISION, shown=shown("app:42"))
    await decisions.keep(DECISION, shown=shown("app:42"))

    assert await decisions.get(DECISION.id) == DECISION


async def test_who_was_shown_what_is_told_by_person_the_latest_first(decisions: Decisions) -> None:
    other = replace(DECISION, id="2" * 32, identity=pseudonym("card:7"))
    looks = [
        shown("app:42", at=NOW - DAY),
        shown("app:42", at=NOW, purpose="audit", reason="why they did", broke_glass=True),
        shown("app:42", at=NOW - HOUR, key="1" * 8),
    ]
    for look in looks:
        await decisions.keep(DECISION, shown=look)
    await decisions.keep(other, shown=shown("card:7"))
    await decisions.keep(DECISION, shown=shown("app:42", at=NOW - MINUTE))

    again = shown("app:42", at=NOW - MINUTE)
    told = await decisions.looks_at([DECISION.identity])
    assert [look.access for look in told] == [looks[1], again, looks[2]]
    assert {look.decision for look in told} == {DECISION.id}
    assert {look.decision for look in await decisions.looks_at([DECISION.identity, other.identity])} == {
        DECISION.id,
        other.id,
    }
    assert await decisions.looks_at([pseudonym("app:nobody")]) == []


async def test_only_the_latest_looks_at_a_person_are_remembered(decisions: Decisions) -> None:
    for at in range(LOOKS_MAX + 2):
        await decisions.keep(DECISION, shown=shown("app:42", at=NOW + at, key=f"{at:08x}"))

    told = await decisions.looks_at([DECISION.identity])
    assert [look.access.at for look in (told[0], told[-1])] == [NOW + LOOKS_MAX + 1, NOW + 2]
    assert len(told) == LOOKS_MAX


async def test_one_that_was_not_kept_is_not(decisions: Decisions) -> None:
    assert await decisions.get("1" * 32) is None


@pytest.mark.servers
async def test_a_decision_is_forgotten_after_its_time(valkey_url: str) -> None:
    client = Redis.from_url(valkey_url, protocol=2)
    await RedisDecisions(client).keep(DECISION, shown=shown("app:42"))
    key, looks = sorted(await client.keys("*"))

    for each in (key, looks):
        assert 0 < await client.ttl(each) <= (FAMILIES["decision"].lifetime_s or 0)
    for stored in (b"\xc1", b"\x91\xa2\xff\xfe"):
        await client.set(key, stored)
        await client.zadd(looks, {stored: NOW})
        with pytest.raises(DecisionsUnavailable):
            await RedisDecisions(client).get(DECISION.id)
        with pytest.raises(DecisionsUnavailable):
            await RedisDecisions(client).looks_at([DECISION.identity])
    await client.aclose()


@pytest.mark.servers
async def test_a_decision_of_an_earlier_program_is_read(valkey_url: str) -> None:
    client = Redis.from_url(valkey_url, protocol=2)
    earlier = [DECISION.id, DECISION.identity, DECISION.services, None, "general", "m", "c", NOW]
    await client.set(global_key("decision", DECISION.id), msgspec.msgpack.encode(earlier))

    assert await RedisDecisions(client).get(DECISION.id) == DECISION
    await client.aclose()


async def test_a_store_that_is_away_is_named() -> None:
    client = redis_client(f"redis://127.0.0.1:{free_port()}", cluster=False, timeout_s=1)

    with pytest.raises(DecisionsUnavailable):
        await RedisDecisions(client).keep(DECISION, shown=shown("app:42"))
    await client.aclose()
