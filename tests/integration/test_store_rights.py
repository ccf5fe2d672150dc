"""Every adapter works with the rights that the page lists and no others, and leaves keys as the page describes them."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
from msgspec import structs
from redis.asyncio import Redis

from commands.lag_board import LagBoard
from consent.act_records import ActRecord
from consent.holds import Hold
from consent.redis_act_records import RedisActRecords
from consent.redis_faults import Client
from consent.redis_holds import RedisHolds
from consent.redis_rights import RedisResidue
from embedded import resp
from embedded.ports import LOOPBACK
from events.position import Checkpoint, Position, Stream
from outreach.candidates import Candidate
from outreach.decision import Decision as Outreach
from outreach.decision import decision_id
from outreach.records import Room
from outreach.redis_records import RedisRecords
from outreach.redis_timers import RedisTimers
from profiles.facet import Facet
from profiles.redis_leases import Holder, RedisLeases
from profiles.redis_rebuild import RedisRebuild
from profiles.redis_store import RedisStore, redis_client
from profiles.store import Commit, Committed, OutboxEntry
from recommender.decisions import Decision
from recommender.redis_decisions import RedisDecisions
from streams.dead_letters import DeadLetter
from streams.lag import PartitionLag
from streams.redis_dead_letters import RedisDeadLetters
from tests.builders import NOW, PARTITIONS, admitted, consent, pseudonym, shown
from tests.profiles.redis_format import documented_keys, listed_rights, row_of
from tests.servers import Valkey

ANNA: Final = pseudonym("app:42")
PLACE: Final = admitted(consent("withdrawn", "model.train")).partition
KEY: Final = b"12345678"
DAY_S: Final = 24 * 3600
LIFETIMES_S: Final = {"as long as its data": -1, "30 seconds": 30, "60 seconds": 60} | {
    f"{days} day{'s' * (days > 1)}": days * DAY_S for days in (1, 8, 14, 30, 90)
}


@pytest.fixture
async def client(valkey: Valkey) -> AsyncIterator[Client]:
    """A client of an empty store, as a user who may do what the page says."""
    valkey.flush()
    resp.ask(LOOPBACK, valkey.port, "ACL", "SETUSER", "rapport", "reset", "on", ">word", "~rapport:*", *listed_rights())
    store = await RedisStore.connect(valkey.url.replace("//", "//rapport:word@"), partitions=PARTITIONS)
    await profiles_at_work(store)
    await store.close()
    made = redis_client(valkey.url.replace("//", "//rapport:word@"), cluster=False)
    yield made
    await made.aclose()
    resp.ask(LOOPBACK, valkey.port, "ACL", "DELUSER", "rapport")


async def profiles_at_work(store: RedisStore) -> None:
    stream = Stream("profiles", "rapport.events", PLACE)
    following = Checkpoint(epoch=1, offset=1, topic_id="t")
    entry = OutboxEntry(offset=0, index=0, kind="release", payload=b"x")
    commit = Commit(stream=stream, expected=None, next=following, facets={ANNA: Facet()}, outbox=[entry])
    assert await store.commit(commit) == Committed()
    assert await store.load(PLACE, [ANNA]) == {ANNA: Facet()}
    [(name, _)] = await store.outbox(stream, limit=5)
    await store.drop_outbox(stream, [name])
    assert await store.outbox_length(stream) == 0


async def consent_at_work(client: Client) -> None:
    holds = RedisHolds(client, partitions=PARTITIONS)
    hold = Hold(identity=ANNA, purpose="model.train", event_key=KEY, fact=b"fact", made_at=NOW)
    await holds.place([hold])
    await holds.release(hold.name._replace(event_key=b"87654321"))
    await holds.settle(Stream("profiles", "rapport.events", PLACE), {"1-0": hold.name})
    assert await holds.waiting(PLACE) == [hold]
    assert await holds.of([ANNA]) == {ANNA: {"model.train"}}

    acts = RedisActRecords(client)
    done, open_still = (
        ActRecord(event_key=key, digest=b"1234", partition=PLACE, restricts=True, made_at=NOW, facts=(b"fact",))
        for key in (KEY, b"87654321")
    )
    await acts.begin(done)
    await acts.begin(open_still)
    await acts.finish(done)
    assert await acts.begin(done) is not None
    assert await acts.pending(PLACE) == [open_still]


async def outreach_at_work(client: Client) -> None:
    records = RedisRecords(client, partitions=PARTITIONS)
    name = decision_id(key=b"a key for tests only", trigger="t", person=ANNA, occasion="o", partition=PLACE)
    decision = Outreach(1, name, "o", "t", ANNA, NOW, "send", "allowed", counts=True)
    assert await records.write(decision, before=None, room=Room(2, NOW - DAY_S)) == "written"
    assert await records.find(name) == decision
    assert await records.decisions_of([ANNA]) == [decision]

    timers = RedisTimers(client)
    for due in (NOW, NOW + 1):
        await timers.schedule(PLACE, Candidate(1, "t", ANNA, "order-1", NOW, due, KEY))
    await timers.drop(PLACE, await timers.due(PLACE, now=NOW, limit=1))


async def suggestions_at_work(client: Client) -> None:
    decisions = RedisDecisions(client)
    decision = Decision("0" * 32, ANNA, ("pram",), None, "general", "m", "c", NOW)
    await decisions.keep(decision, shown=shown(ANNA))
    assert await decisions.get(decision.id) == decision
    assert [each.decision for each in await decisions.looks_at([ANNA])] == [decision.id]


async def operations_at_work(client: Client) -> None:
    letters = RedisDeadLetters(client)
    today = NOW // (DAY_S * 1000)
    assert await letters.key_of(today, make=True)
    letter = DeadLetter("profiles", "rapport.events", 1, PLACE, 0, NOW, "full", "", today, b"sealed")
    await letters.keep([letter])
    assert await letters.find("profiles/rapport.events/9.9.9") is None
    assert [each async for each in letters.listed() if each != letter] == []
    await letters.drop("profiles/rapport.events/9.9.9")

    board = LagBoard(client, app="profiles")
    lag = PartitionLag(topic="rapport.events", partition=PLACE, checkpoint=1, lag=0, measured_at_ms=NOW)
    await board.publish([lag])
    assert await board.read() == [lag]
    await client.set("rapport:epochs", b"[]")

    leases, holder = RedisLeases(client), Holder(name="api", host="here", pid=1, partitions=PARTITIONS)
    for each in (holder, structs.replace(holder, pid=2)):
        await leases.renew(each)
    await leases.end(holder)
    assert [each.pid for each in await leases.held()] == [2]


async def rebuild_at_work(client: Client) -> None:
    rebuild = RedisRebuild(client)
    assert await rebuild.add(PLACE, expected=None, following=Position(1, PLACE, 1), facets={ANNA: Facet()})


async def rights_at_work(client: Client) -> None:
    residue = RedisResidue(client)
    await residue.reach(3)
    assert await residue.reached() == 3
    gone = pseudonym("app:gone")
    decision = Decision("1" * 32, gone, ("pram",), None, "general", "m", "c", NOW)
    await RedisDecisions(client).keep(decision, shown=shown(gone))
    found = {"decision": 2, "shown": 2, "hold": 2, "outreach": 2, "cap": 1, "due": 1, "rebuilt": 1}
    assert await residue.found([gone, ANNA]) == found
    assert await residue.named({gone, ANNA, pseudonym("app:none")}.__contains__) == {gone, ANNA}
    assert await residue.forget([gone]) == {"decision": 1, "shown": 1}
    assert await residue.named({gone}.__contains__) == set()
    assert await residue.rewrite_files() is None


async def test_every_adapter_works_with_the_rights_of_the_page_and_leaves_keys_as_it_says(
    client: Client, valkey: Valkey
) -> None:
    await consent_at_work(client)
    await outreach_at_work(client)
    await suggestions_at_work(client)
    await operations_at_work(client)
    await rebuild_at_work(client)
    await rights_at_work(client)

    async with Redis.from_url(valkey.url, protocol=2, decode_responses=True) as admin:
        standing: dict[str, tuple[str, int]] = {
            str(name): (str(await admin.type(name)), await admin.ttl(name)) for name in await admin.keys()
        }
    unfinished = f"rapport:{{{PLACE}}}:act:{b'87654321'.hex()}"
    assert standing.pop(unfinished) == ("string", -1)
    assert {name: is_described(name, kind, ttl) for name, (kind, ttl) in standing.items()} == dict.fromkeys(
        standing, True
    )
    assert {row for name in standing if (row := row_of(name))} == set(documented_keys())


def is_described(name: str, kind: str, ttl: int) -> bool:
    """Whether the page has this key, of this type, with this lifetime."""
    row = row_of(name)
    if row is None or row.kind != kind:
        return False
    lifetime = LIFETIMES_S[row.lifetime]
    return ttl == lifetime if lifetime < 0 else lifetime - 30 <= ttl <= lifetime
