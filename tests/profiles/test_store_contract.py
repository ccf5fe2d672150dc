"""What every store promises, on memory, on one server and on a cluster."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest

from events.fact import Fact
from events.keys import checkpoint_key, facet_key
from events.partitioning import partition_of
from events.position import Checkpoint, Stream, encode_checkpoint
from profiles.codec import LIFTS, FacetUnreadable, decode_facet, encode_facet
from profiles.facet import FACET_FORMAT, Facet
from profiles.fold import fold
from profiles.store import (
    BLOBS_MAX,
    FACETS_MAX,
    Commit,
    Committed,
    CommitTooHeavy,
    Mismatch,
    OutboxEntry,
    ProfileStoreUnfit,
    Standing,
)
from tests.builders import complaint, pseudonym, purchased
from tests.profiles.backends import EVERY_BACKEND, PARTITIONS, Backend, backend_of
from tests.profiles.redis_format import row_of

APP = pseudonym("app:42")
PARTITION = partition_of(APP.encode(), PARTITIONS)
STREAM = Stream("profiles", "rapport.events", PARTITION)
SHOP = fold(Facet(), purchased()).facet


@pytest.fixture(params=EVERY_BACKEND)
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    async with backend_of(request) as made:
        yield made
        _all_documented(await made.keys())


def _all_documented(keys: list[str]) -> None:
    strangers = [key for key in keys if row_of(key) is None]
    assert not strangers, f"docs/reference/redis-format.md has no row for {strangers}"


def at(offset: int, **rest: Any) -> Checkpoint:
    return Checkpoint(epoch=1, offset=offset, topic_id="t", fingerprint=f"{offset - 1}:0:ab" if offset else "", **rest)


def step(expected: Checkpoint | None, following: Checkpoint, **rest: Any) -> Commit:
    return Commit(stream=STREAM, expected=expected, next=following, **rest)


def entry(offset: int, index: int = 0, payload: bytes = b"\x00payload\xff") -> OutboxEntry:
    return OutboxEntry(offset=offset, index=index, kind="candidate", payload=payload)


def neighbours(count: int) -> list[str]:
    """Pseudonyms that belong to PARTITION."""
    found = (pseudonym(f"app:{number}") for number in range(count * PARTITIONS * 2))
    ours = [identity for identity in found if partition_of(identity.encode(), PARTITIONS) == PARTITION]
    return ours[:count]


async def test_an_empty_store_knows_nothing(backend: Backend) -> None:
    assert await backend.store.checkpoint(STREAM) is None
    assert await backend.store.load(PARTITION, [APP]) == {}
    assert await backend.store.load(PARTITION, []) == {}
    assert await backend.store.outbox(STREAM, limit=10) == []
    assert await backend.store.outbox_length(STREAM) == 0


async def test_a_first_commit_expects_no_checkpoint(backend: Backend) -> None:
    assert await backend.store.commit(step(None, at(3), facets={APP: SHOP})) == Committed()

    assert await backend.store.checkpoint(STREAM) == at(3)
    assert await backend.store.load(PARTITION, [APP, pseudonym("app:43")]) == {APP: SHOP}


async def test_facets_are_read_together_with_the_checkpoint(backend: Backend) -> None:
    assert await backend.store.load_standing(STREAM, [APP]) == Standing(None, {})
    await backend.store.commit(step(None, at(1), facets={APP: SHOP}))

    assert await backend.store.load_standing(STREAM, [APP, pseudonym("app:43")]) == Standing(at(1), {APP: SHOP})
    assert await backend.store.load_standing(STREAM, []) == Standing(at(1), {})
    assert (await backend.store.load_standing(STREAM._replace(topic="rapport.intake"), [])).checkpoint is None


async def test_a_commit_that_expects_something_of_an_empty_store_writes_nothing(backend: Backend) -> None:
    commit = step(at(3), at(6), facets={APP: SHOP}, outbox=[entry(4)])

    assert await backend.store.commit(commit) == Mismatch(None)

    assert await backend.keys() == []


async def test_a_repeated_commit_changes_nothing_and_says_where_we_are(backend: Backend) -> None:
    commit = step(None, at(3), facets={APP: SHOP}, outbox=[entry(1)])
    await backend.store.commit(commit)
    later = step(at(3), at(5), facets={APP: fold(SHOP, complaint()).facet})
    await backend.store.commit(later)

    assert await backend.store.commit(commit) == Mismatch(at(5))
    assert await backend.store.commit(later) == Mismatch(at(5))

    assert await backend.store.load(PARTITION, [APP]) == {APP: fold(SHOP, complaint()).facet}
    assert await backend.store.outbox_length(STREAM) == 1


async def test_a_first_commit_on_a_store_that_has_one_is_a_mismatch(backend: Backend) -> None:
    await backend.store.commit(step(None, at(3)))

    assert await backend.store.commit(step(None, at(2), facets={APP: SHOP})) == Mismatch(at(3))
    assert await backend.store.load(PARTITION, [APP]) == {}


async def test_offsets_may_have_holes_and_frames_may_be_empty(backend: Backend) -> None:
    assert await backend.store.commit(step(None, at(1000), facets={APP: SHOP})) == Committed()
    assert await backend.store.commit(step(at(1000), at(2**43))) == Committed()
    assert await backend.store.commit(step(at(2**43), at(2**43), outbox=())) == Committed()

    assert await backend.store.checkpoint(STREAM) == at(2**43)


async def test_a_store_that_went_back_in_time_says_where_it_stands(backend: Backend) -> None:
    await backend.store.commit(step(None, at(3)))
    await backend.store.commit(step(at(3), at(6)))
    await backend.plant(checkpoint_key(STREAM), encode_checkpoint(at(3)))

    assert await backend.store.commit(step(at(6), at(9), facets={APP: SHOP})) == Mismatch(at(3))

    assert await backend.store.commit(step(at(3), at(9), facets={APP: SHOP})) == Committed()


async def test_a_store_that_was_emptied_says_so(backend: Backend) -> None:
    await backend.store.commit(step(None, at(3)))
    await backend.plant(checkpoint_key(STREAM), None)

    assert await backend.store.commit(step(at(3), at(6), facets={APP: SHOP})) == Mismatch(None)


@pytest.mark.parametrize(
    "other",
    [
        {"epoch": 2},
        {"topic_id": "made anew"},
        {"fingerprint": "2:0:cd"},
        {"incarnation": 1},
    ],
)
async def test_the_same_offset_of_another_log_is_a_mismatch(backend: Backend, other: dict[str, Any]) -> None:
    standing = msgspec.structs.replace(at(3), **other)
    await backend.store.commit(step(None, standing))

    assert await backend.store.commit(step(at(3), at(6), facets={APP: SHOP})) == Mismatch(standing)


async def test_a_repair_that_raises_the_incarnation_fences_every_owner(backend: Backend) -> None:
    await backend.store.commit(step(None, at(3)))
    repaired = at(3, incarnation=1)
    assert await backend.store.commit(step(at(3), repaired)) == Committed()

    assert await backend.store.commit(step(at(3), at(6), facets={APP: SHOP})) == Mismatch(repaired)
    assert await backend.store.commit(step(repaired, at(6, incarnation=1))) == Committed()


async def test_of_two_owners_at_once_exactly_one_wins_each_step(backend: Backend) -> None:
    owners = [backend.store, await backend.another()]
    standing: Checkpoint | None = None
    for number in range(1, 40):
        # Each owner's frame ends elsewhere, so that what stands tells who won.
        following = [at(number * 10 + who) for who in range(len(owners))]
        mine = [fold(Facet(), purchased(f"order-{number}-{who}")).facet for who in range(len(owners))]
        commits = [
            step(
                standing, following[who], facets={APP: mine[who]}, outbox=[entry(number * 10 - 1, payload=b"%d" % who)]
            )
            for who in range(len(owners))
        ]
        outcomes = await asyncio.gather(*(owner.commit(commit) for owner, commit in zip(owners, commits, strict=True)))
        winner = outcomes.index(Committed())
        assert outcomes[1 - winner] == Mismatch(following[winner])
        assert await backend.store.load(PARTITION, [APP]) == {APP: mine[winner]}
        last = (await backend.store.outbox(STREAM, limit=100))[-1][1]
        assert last.payload == b"%d" % winner
        standing = following[winner]
    assert await backend.store.outbox_length(STREAM) == 39


async def test_streams_of_one_partition_have_checkpoints_and_outboxes_of_their_own(backend: Backend) -> None:
    intake = Stream("profiles", "rapport.intake", PARTITION)
    history = Stream("history", "rapport.events", PARTITION)
    await backend.store.commit(step(None, at(3), outbox=[entry(2)]))
    for stream in (intake, history):
        assert await backend.store.commit(replace(step(None, at(7)), stream=stream)) == Committed()

    assert await backend.store.checkpoint(STREAM) == at(3)
    assert await backend.store.checkpoint(intake) == at(7)
    assert await backend.store.outbox_length(history) == 0


async def test_a_commit_takes_five_hundred_facets_and_no_more(backend: Backend) -> None:
    identities = neighbours(FACETS_MAX + 1)
    too_many = dict.fromkeys(identities, SHOP)

    with pytest.raises(ValueError, match="at most 500 facets, this one 501"):
        await backend.store.commit(step(None, at(1), facets=too_many))
    assert await backend.keys() == []

    del too_many[identities[-1]]
    assert await backend.store.commit(step(None, at(1), facets=too_many)) == Committed()
    assert await backend.store.load(PARTITION, identities) == too_many


async def test_heavy_commits_of_several_streams_at_once_all_stand(backend: Backend) -> None:
    streams = [Stream(f"app{number}", "rapport.events", PARTITION) for number in range(4)]
    heavy = {identity: Facet(recent=bytes(90_000) + identity.encode()) for identity in neighbours(8)}
    shares = [dict(list(heavy.items())[begin : begin + 2]) for begin in range(0, 8, 2)]
    commits = [replace(step(None, at(1), facets=share), stream=one) for one, share in zip(streams, shares, strict=True)]

    assert await asyncio.gather(*map(backend.store.commit, commits)) == [Committed()] * 4

    assert await backend.store.load(PARTITION, list(heavy)) == heavy


async def test_a_commit_stays_in_its_partition(backend: Backend) -> None:
    number = next(n for n in range(100) if partition_of(pseudonym(f"app:{n}").encode(), PARTITIONS) != PARTITION)

    with pytest.raises(ValueError, match="1 facets belong to another partition"):
        await backend.store.commit(step(None, at(1), facets={APP: SHOP, pseudonym(f"app:{number}"): SHOP}))

    assert await backend.keys() == []


async def test_entries_leave_the_outbox_in_the_order_of_the_log(backend: Backend) -> None:
    first = [entry(0, payload=b"a"), entry(0, 1, b"b"), entry(9, 2, b"c")]
    second = [OutboxEntry(10, 0, "dead_letter", b"d"), OutboxEntry(11, 0, "release", b"")]
    await backend.store.commit(step(None, at(10), outbox=first))
    await backend.store.commit(step(at(10), at(12), outbox=second))

    waiting = await backend.store.outbox(STREAM, limit=10)

    assert [each for _, each in waiting] == first + second
    assert [name for name, _ in waiting[:2]] == [f"{2**44 + 1}-0", f"{2**44 + 1}-1"]
    assert await backend.store.outbox_length(STREAM) == 5
    assert await backend.store.outbox(STREAM, limit=2) == waiting[:2]


async def test_published_entries_are_forgotten_one_by_one(backend: Backend) -> None:
    await backend.store.commit(step(None, at(3), outbox=[entry(0), entry(1), entry(2)]))
    waiting = await backend.store.outbox(STREAM, limit=10)

    await backend.store.drop_outbox(STREAM, [waiting[1][0]])
    await backend.store.drop_outbox(STREAM, [waiting[1][0], "1-0"])
    await backend.store.drop_outbox(STREAM, [])

    assert await backend.store.outbox(STREAM, limit=10) == [waiting[0], waiting[2]]
    assert await backend.store.outbox_length(STREAM) == 2


async def test_the_next_epoch_s_entries_follow_those_of_the_last(backend: Backend) -> None:
    await backend.store.commit(step(None, at(900), outbox=[entry(899)]))
    adopted = Checkpoint(epoch=2, offset=1, topic_id="another")
    assert await backend.store.commit(step(at(900), adopted, outbox=[entry(0)])) == Committed()

    assert [each.offset for _, each in await backend.store.outbox(STREAM, limit=10)] == [899, 0]


@pytest.mark.parametrize(
    "entries",
    [
        [entry(4), entry(3)],
        [entry(4), entry(4)],
        [entry(4, 1), entry(4, 0)],
    ],
)
async def test_entries_out_of_order_are_a_mistake_of_the_caller(backend: Backend, entries: list[OutboxEntry]) -> None:
    with pytest.raises(ValueError, match="in the order of offset and index"):
        await backend.store.commit(step(None, at(9), outbox=entries))
    assert await backend.keys() == []


@pytest.mark.parametrize("offset", [2, 9])
async def test_an_entry_comes_from_the_frame_it_is_committed_with(backend: Backend, offset: int) -> None:
    with pytest.raises(ValueError, match="between the two checkpoints"):
        await backend.store.commit(step(at(3), at(9), outbox=[entry(offset)]))


async def test_an_outbox_ahead_of_the_checkpoint_refuses_the_whole_commit(backend: Backend) -> None:
    await backend.store.commit(step(None, at(9), outbox=[entry(8)]))
    moved_back = at(3, incarnation=1)
    await backend.store.commit(step(at(9), moved_back))

    again = step(moved_back, at(9, incarnation=1), facets={APP: SHOP}, outbox=[entry(8, payload=b"again")])
    with pytest.raises(ProfileStoreUnfit, match="delete it before a checkpoint is moved back"):
        await backend.store.commit(again)

    assert await backend.store.checkpoint(STREAM) == moved_back
    assert await backend.store.load(PARTITION, [APP]) == {}
    assert await backend.store.outbox_length(STREAM) == 1


@pytest.mark.parametrize("stored", [b'{"offset": "twelve"}', b'[1,2,"\xff\xfe"]', b'[1,2,"t","",0,"tomorrow"]'])
async def test_a_checkpoint_that_cannot_be_read_stops_us(backend: Backend, stored: bytes) -> None:
    await backend.plant(checkpoint_key(STREAM), stored)

    with pytest.raises(ProfileStoreUnfit, match="in place of a checkpoint"):
        await backend.store.checkpoint(STREAM)
    with pytest.raises(ProfileStoreUnfit, match="in place of a checkpoint"):
        await backend.store.commit(step(None, at(1)))


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\xc1",
        b"not a facet",
        encode_facet(SHOP)[:-1],
        encode_facet(SHOP) + b"\x00",
        msgspec.msgpack.encode([FACET_FORMAT + 1, b"", {}]),
        msgspec.msgpack.encode({"format": 1}),
        msgspec.msgpack.encode([]),
        msgspec.msgpack.encode([True]),
    ],
)
async def test_a_blob_that_is_no_facet_is_named_and_left_alone(backend: Backend, blob: bytes) -> None:
    await backend.plant(facet_key(PARTITION, APP), blob)

    with pytest.raises(FacetUnreadable):
        await backend.store.load(PARTITION, [APP])


async def test_facets_too_heavy_for_one_call_are_not_written_and_one_alone_is(backend: Backend) -> None:
    heavy = {name: Facet(recent=random.randbytes(BLOBS_MAX // 3)) for name in neighbours(3)}

    with pytest.raises(CommitTooHeavy):
        await backend.store.commit(step(None, at(1), facets=heavy))
    assert await backend.store.checkpoint(STREAM) is None
    name, facet = heavy.popitem()
    assert await backend.store.commit(step(None, at(1), facets={name: facet})) == Committed()
    assert await backend.store.load(PARTITION, [name]) == {name: facet}


async def test_a_blob_of_an_older_format_is_lifted_when_it_is_read(backend: Backend) -> None:
    # The format before the first kept the known events last.
    _, recent, *rest = msgspec.msgpack.decode(msgspec.msgpack.encode(SHOP))
    await backend.plant(facet_key(PARTITION, APP), msgspec.msgpack.encode([0, *rest, recent]))

    def lift(fields: list[Any]) -> list[Any]:
        _, *others, known = fields
        return [1, known, *others]

    newer = await backend.another(partial(decode_facet, lifts={0: lift, **LIFTS}))

    assert await newer.load(PARTITION, [APP]) == {APP: SHOP}
    with pytest.raises(FacetUnreadable):
        await backend.store.load(PARTITION, [APP])


async def test_a_blob_that_cannot_be_lifted_is_unreadable(backend: Backend) -> None:
    await backend.plant(facet_key(PARTITION, APP), msgspec.msgpack.encode([0]))
    newer = await backend.another(partial(decode_facet, lifts={0: lambda fields: [1, fields[5]], **LIFTS}))

    with pytest.raises(FacetUnreadable):
        await newer.load(PARTITION, [APP])


async def _folded(backend: Backend, expected: Checkpoint | None, some: Fact) -> tuple[Checkpoint, str]:
    """One fact through load, fold and commit, as an owner does it."""
    facet = (await backend.store.load(PARTITION, [APP])).get(APP, Facet())
    after = fold(facet, some)
    following = at((expected.offset if expected else 0) + 1)
    facets = {APP: after.facet} if after.fate == "applied" else {}
    assert await backend.store.commit(step(expected, following, facets=facets)) == Committed()
    return following, after.fate


async def test_a_repeated_event_counts_once_and_another_payload_under_its_key_is_a_conflict(backend: Backend) -> None:
    order = purchased(amount=1000, event_id="e-1")
    forged = purchased(amount=9999, event_id="e-1")
    standing: Checkpoint | None = None
    fates = []
    for some in (order, order, forged, order):
        standing, fate = await _folded(backend, standing, some)
        fates.append(fate)

    assert fates == ["applied", "repeated", "conflict", "repeated"]
    assert await backend.store.load(PARTITION, [APP]) == {APP: fold(Facet(), order).facet}
    assert await backend.store.checkpoint(STREAM) == at(4)


def test_keys_of_one_commit_share_a_slot() -> None:
    tags = {re.findall(r"\{(.*?)\}", key)[0] for key in (checkpoint_key(STREAM), facet_key(PARTITION, APP))}

    assert tags == {str(PARTITION)}
