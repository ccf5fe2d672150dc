"""A partition with nothing to fold goes back with its store all the same."""

import asyncio
from collections.abc import Collection

import pytest

from events.keys import checkpoint_key
from events.position import Checkpoint, Stream, encode_checkpoint
from profiles.redis_store import redis_client
from profiles.store import Commit, ProfileStoreUnavailable
from streams.folding import LogIdentity, fingerprint_of
from streams.frame import Frame
from streams.ownership import Handed, Ownership
from streams.redis_checkpoints import RedisCheckpoints
from streams.store_watch import StoreWatch
from tests.consent.stores import client_of
from tests.streams.test_folding import LOG, PARTITION, STREAM, World, frame, orders
from tests.waiting import eventually

KEY = ("rapport.events", PARTITION)


class Reader:
    """Reads one partition from a store that may go back."""

    def __init__(self, *, log: LogIdentity = LOG, start: int = 0) -> None:
        self.world = World()
        self.fold = self.world.owner(log)
        self.ownership = Ownership()
        self.ownership.assign({KEY: start})
        self.looked = 0
        self.away = False
        self.watch = StoreWatch(
            ownership=self.ownership, app="profiles", folds={"rapport.events": self.fold}, standing=self.standing
        )

    async def standing(self, streams: Collection[Stream]) -> dict[Stream, Checkpoint | None]:
        self.looked += 1
        if self.away:
            raise ProfileStoreUnavailable("nobody is there")
        return {stream: await self.world.store.checkpoint(stream) for stream in streams}

    def fetch(self, end: int) -> Handed:
        claim = self.ownership.claims[KEY]
        start = claim.next_offset
        fetched: Frame = frame(orders(end - start, first=start), start=start, end=end)
        assert self.ownership.hand_over(KEY, turn=claim.turn, end=end)
        return Handed(turn=claim.turn, frame=fetched)

    async def take(self, handed: Handed) -> None:
        self.ownership.settle(handed, await self.fold(handed.frame))

    async def read(self, end: int) -> None:
        await self.take(self.fetch(end))

    @property
    def next_offset(self) -> int:
        return self.ownership.claims[KEY].next_offset

    @property
    def stopped(self) -> str:
        return self.ownership.claims[KEY].stopped or ""


async def reader_of_an_older_store() -> Reader:
    """One that read eight records, on a copy of a store that had three."""
    reader = Reader()
    await reader.read(3)
    copy = reader.world.store.snapshot()
    await reader.read(8)
    reader.world.store.restore(copy)
    return reader


async def test_a_partition_at_rest_goes_back_with_its_store_and_folds_what_the_copy_lacks() -> None:
    reader = await reader_of_an_older_store()

    await reader.watch.look()

    assert reader.next_offset == 3
    await reader.read(8)
    assert await reader.world.orders() == 8
    assert await reader.world.store.checkpoint(STREAM) == Checkpoint(1, 8, "a log", fingerprint_of(orders(8)))


async def test_a_partition_whose_store_stands_where_it_left_it_is_left_alone() -> None:
    reader = Reader()
    await reader.watch.look()
    await reader.read(3)
    turn = reader.ownership.claims[KEY].turn

    await reader.watch.look()

    assert (reader.next_offset, reader.ownership.claims[KEY].turn) == (3, turn)


async def test_an_assignment_one_record_before_the_checkpoint_is_not_taken_for_a_copy() -> None:
    reader = Reader()
    await reader.read(3)
    reader.ownership.assign({KEY: 2})
    turn = reader.ownership.claims[KEY].turn

    await reader.watch.look()

    assert reader.ownership.claims[KEY].turn == turn


async def test_a_partition_with_a_frame_under_way_is_left_to_its_commit() -> None:
    reader = Reader()
    await reader.read(3)
    copy = reader.world.store.snapshot()
    await reader.read(8)
    under_way = reader.fetch(9)
    reader.world.store.restore(copy)

    await reader.watch.look()

    assert reader.next_offset == 9
    await reader.take(under_way)
    assert reader.next_offset == 3


async def test_what_was_read_while_the_store_was_asked_is_not_undone_by_the_older_answer() -> None:
    reader = Reader()
    await reader.read(3)
    before = await reader.standing([STREAM])

    async def answered_late(_streams: Collection[Stream]) -> dict[Stream, Checkpoint | None]:
        await reader.read(8)
        return before

    late = StoreWatch(
        ownership=reader.ownership, app="profiles", folds={"rapport.events": reader.fold}, standing=answered_late
    )
    await late.look()

    assert reader.next_offset == 8


async def test_a_store_that_lost_the_checkpoint_stops_the_partition() -> None:
    reader = Reader()
    empty = reader.world.store.snapshot()
    await reader.read(3)
    reader.world.store.restore(empty)

    await reader.watch.look()

    assert "lost this partition's checkpoint" in reader.stopped


async def test_a_store_that_lost_what_the_owner_before_had_folded_is_read_for_from_the_start() -> None:
    reader = Reader(start=5)

    await reader.watch.look()

    assert (reader.next_offset, reader.stopped) == (0, "")
    await reader.read(6)
    assert await reader.world.orders() == 6


async def test_a_copy_from_before_the_epoch_stops_a_partition_that_has_read_nothing_of_it() -> None:
    adopted = LogIdentity(epoch=2, topic_id="made anew", earlier={1: [4] * 16})
    reader = Reader(log=adopted)
    await reader.world.store.commit(Commit(stream=STREAM, expected=None, next=Checkpoint(1, 3, "a log")))

    await reader.watch.look()

    assert "lacks 3 to 3 of epoch 1" in reader.stopped


async def test_the_watch_outlives_a_store_that_is_away() -> None:
    reader = await reader_of_an_older_store()
    reader.away = True
    running = asyncio.create_task(reader.watch.run(every_s=0.001))

    async def asked_twice() -> bool:
        return reader.looked >= 2

    async def went_back() -> bool:
        return reader.next_offset == 3

    await eventually(asked_twice, what="two looks while the store was away")
    reader.away = False
    await eventually(went_back, what="the way back")
    running.cancel()


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["redis", "cluster"])
async def test_checkpoints_of_many_streams_are_read_at_once(kind: str, request: pytest.FixtureRequest) -> None:
    streams = [Stream("profiles", topic, at) for topic in ("rapport.events", "rapport.intake") for at in range(8)]
    async with client_of(kind, request) as client:
        for stream in streams[::2]:
            await client.set(checkpoint_key(stream), encode_checkpoint(Checkpoint(1, stream.partition, "a log")))

        standing = await RedisCheckpoints(client)(streams)

        assert standing == {
            stream: None if place % 2 else Checkpoint(1, stream.partition, "a log")
            for place, stream in enumerate(streams)
        }
        assert await RedisCheckpoints(client)([]) == {}


@pytest.mark.servers
async def test_a_store_that_does_not_answer_is_away(valkey_url: str) -> None:
    client = redis_client(valkey_url.rpartition(":")[0] + ":1", cluster=False)
    with pytest.raises(ProfileStoreUnavailable):
        await RedisCheckpoints(client)([STREAM])
    await client.aclose()
