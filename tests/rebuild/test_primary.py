"""What only the store knows is found again by every adapter after the partitions are counted otherwise."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import pytest
from msgspec.structs import replace

from commands.rebuild_primary import PrimaryMove
from consent.act_records import ActRecord
from consent.holds import Hold
from consent.redis_act_records import RedisActRecords
from consent.redis_holds import RedisHolds
from events.keys import partition_key
from events.partitioning import partition_of
from outreach.candidates import Candidate, encode_candidate
from outreach.decision import Decision as Outreach
from outreach.decision import decision_id
from outreach.records import Room
from outreach.redis_records import RedisRecords
from outreach.redis_timers import RedisTimers
from profiles.redis_library import Client
from profiles.redis_store import redis_client
from recommender.decisions import Decision
from recommender.redis_decisions import RedisDecisions
from streams.dead_letters import DeadLetter
from streams.redis_dead_letters import RedisDeadLetters
from tests.builders import NOW, pseudonym, shown
from tests.profiles.redis_format import row_of
from tests.servers import Valkey, ValkeyCluster

pytestmark = pytest.mark.servers

BEFORE: Final = 4
AFTER: Final = 6
PEOPLE: Final = [pseudonym(f"app:{number}") for number in range(12)]
KEYS: Final = [bytes([number]) * 8 for number in range(12)]
DAY_S: Final = 24 * 3600
TODAY: Final = NOW // (DAY_S * 1000)
LETTER: Final = DeadLetter("profiles", "rapport.events", 1, 0, 0, NOW, "full", "", TODAY, b"sealed")


@pytest.fixture
async def two(valkey: Valkey, valkey_cluster: ValkeyCluster) -> AsyncIterator[tuple[Client, Client]]:
    """A single server that is left, and a cluster to go to, both empty."""
    valkey.flush()
    valkey_cluster.flush()
    async with AsyncExitStack() as stack:
        old, new = redis_client(valkey.url, cluster=False), redis_client(valkey_cluster.url, cluster=True)
        for client in (old, new):
            stack.push_async_callback(client.aclose)
        yield old, new


def home(name: bytes, partitions: int) -> int:
    return partition_of(name, partitions)


def hold(at: int) -> Hold:
    return Hold(identity=PEOPLE[at], purpose="model.train", event_key=KEYS[at], fact=b"fact", made_at=NOW + at)


def act(at: int, partitions: int) -> ActRecord:
    place = home(KEYS[at], partitions)
    return ActRecord(event_key=KEYS[at], digest=b"1234", partition=place, restricts=True, made_at=NOW, facts=(b"f",))


def outreach(at: int) -> Outreach:
    place = home(PEOPLE[at].encode(), BEFORE)
    name = decision_id(key=b"a key for tests only", trigger="t", person=PEOPLE[at], occasion="o", partition=place)
    return Outreach(1, name, "o", "t", PEOPLE[at], NOW, "send", "allowed", counts=True)


def timer(at: int) -> Candidate:
    return Candidate(1, "t", PEOPLE[at], "order-1", NOW, NOW + at, KEYS[at], PEOPLE[at], PEOPLE[at])


async def filled(client: Client) -> None:
    """Something of every family, of twelve people."""
    holds, acts = RedisHolds(client, partitions=BEFORE), RedisActRecords(client)
    records, timers = RedisRecords(client, partitions=BEFORE), RedisTimers(client)
    await holds.place([hold(at) for at in range(12)])
    for at in range(12):
        await acts.begin(act(at, BEFORE))
        if at % 2:
            await acts.finish(act(at, BEFORE))
        assert await records.write(outreach(at), before=None, room=Room(2, NOW - DAY_S)) == "written"
        await timers.schedule(home(PEOPLE[at].encode(), BEFORE), timer(at))
    decision = Decision("0" * 32, PEOPLE[0], ("pram",), None, "general", "m", "c", NOW)
    await RedisDecisions(client).keep(decision, shown=shown(PEOPLE[0]))
    letters = RedisDeadLetters(client)
    assert await letters.key_of(TODAY, make=True)
    await letters.keep([LETTER])


@pytest.mark.parametrize("times", [1, 2])
async def test_holds_acts_caps_outreach_timers_and_letters_are_where_they_are_looked_for(
    two: tuple[Client, Client], times: int
) -> None:
    old, new = two
    await filled(old)

    for _ in range(times):
        await PrimaryMove(old, new, AFTER).run()

    holds, acts = RedisHolds(new, partitions=AFTER), RedisActRecords(new)
    records, timers = RedisRecords(new, partitions=AFTER), RedisTimers(new)
    assert await holds.of(PEOPLE) == dict.fromkeys(PEOPLE, frozenset({"model.train"}))
    waiting = [found for at in range(AFTER) for found in await holds.waiting(at)]
    assert sorted(waiting, key=lambda found: found.made_at) == [hold(at) for at in range(12)]
    pending = [found for at in range(AFTER) for found in await acts.pending(at)]
    assert sorted(pending, key=lambda found: found.event_key) == [act(at, AFTER) for at in range(0, 12, 2)]
    assert await acts.begin(act(1, AFTER)) == replace(act(1, AFTER), done=True)
    for at in range(12):
        [found] = await records.decisions_of([PEOPLE[at]])
        assert found == outreach(at)
        # The cap is full by that one and one more.
        second = replace(outreach(at), id=f"{home(PEOPLE[at].encode(), AFTER)}-{at:016x}{1:016x}")
        third = replace(second, id=f"{home(PEOPLE[at].encode(), AFTER)}-{at:016x}{2:016x}")
        assert await records.write(second, before=None, room=Room(2, NOW - DAY_S)) == "written"
        assert await records.write(third, before=None, room=Room(2, NOW - DAY_S)) == "full"
        assert encode_candidate(timer(at)) in await timers.due(
            home(PEOPLE[at].encode(), AFTER), now=NOW + 100, limit=100
        )
    assert await RedisDecisions(new).get("0" * 32) is not None
    assert [each.access for each in await RedisDecisions(new).looks_at(PEOPLE)] == [shown(PEOPLE[0])]
    assert await RedisDeadLetters(new).key_of(TODAY, make=False) == await RedisDeadLetters(old).key_of(
        TODAY, make=False
    )
    assert await new.hgetall(f"rapport:dead:{TODAY}") == await old.hgetall(f"rapport:dead:{TODAY}") != {}


async def test_what_had_a_time_to_live_keeps_what_is_left_of_it(two: tuple[Client, Client]) -> None:
    old, new = two
    await filled(old)
    place = home(KEYS[1], BEFORE)
    await old.expire(partition_key("act", place, KEYS[1].hex()), 100)

    await PrimaryMove(old, new, AFTER).run()

    assert 90 < await new.ttl(partition_key("act", home(KEYS[1], AFTER), KEYS[1].hex())) <= 100
    assert await new.ttl(partition_key("act", home(KEYS[0], AFTER), KEYS[0].hex())) == -1
    assert 0 < await new.ttl(f"rapport:decision:{'0' * 32}") <= 30 * DAY_S


async def test_no_key_is_brought_along_that_the_page_does_not_know(two: tuple[Client, Client]) -> None:
    old, new = two
    await filled(old)
    await old.set("rapport:{1}:checkpoint:profiles:rapport.events", b"[1,5]")

    await PrimaryMove(old, new, AFTER).run()

    found = [key.decode() async for key in new.scan_iter(target_nodes="primaries")]
    assert [key for key in found if row_of(key) is None] == []
    assert not any("checkpoint" in key for key in found)
