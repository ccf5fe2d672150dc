"""Frames against the checkpoint: what is folded, what is refused, what a mismatch leads to."""

import itertools
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.fact import Fact, encode_fact
from events.keys import facet_key
from events.position import Checkpoint, Stream
from profiles.facet import FACET_FORMAT
from profiles.facet_cache import FacetCache
from profiles.memory_store import MemoryStore, Snapshot
from profiles.store import FACETS_MAX, Commit, Committed, CommitTooHeavy, Mismatch, OutboxEntry
from streams.dead_letters import Undertaker, decode_letter, unseal
from streams.fold_work import FoldWork
from streams.folding import OUTBOX_MAX, LogIdentity, OutboxFull, StoredCheckpoints, StreamFold, fingerprint_of
from streams.frame import Answer, Frame, Handled, Record, SeekTo, Stopped
from streams.memory_dead_letters import MemoryDeadLetters
from streams.runs import FRAME_RECORDS, RUN_BYTES, chunks
from tests.builders import NOW, PARTITIONS, admitted, consent, purchased

LOG = LogIdentity(epoch=1, topic_id="a log")
PARTITION = admitted(purchased()).partition
STREAM = Stream("profiles", "rapport.events", PARTITION)


NEIGHBOUR = next(
    name
    for name in (f"app:neighbour-{number}" for number in itertools.count())
    if admitted(purchased(identity=name)).partition == PARTITION
)


class LosesTheFuture(MemoryStore):
    """A store that goes back in time just before the next commit, where it is told to."""

    before_commit: Snapshot | None = None

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        if self.before_commit is not None:
            self.restore(self.before_commit)
        return await super().commit(commit)


class World:
    """One partition's owner over a store in memory."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.letters = MemoryDeadLetters()
        self.fold = self.owner()

    def owner(self, log: LogIdentity = LOG) -> StreamFold:
        work = FoldWork(
            facets=FacetCache(self.store),
            undertaker=Undertaker(keys=self.letters),
            candidates=lambda _fact, _position: (),
            clock=lambda: NOW,
            partitions=PARTITIONS,
        )
        return StreamFold(app="profiles", topic="rapport.events", log=log, store=self.store, work=work)

    async def orders(self) -> int:
        facets = await self.store.load(PARTITION, [purchased().identity])
        return sum(len(facet.service.orders) for facet in facets.values())

    async def dead(self) -> list[tuple[int, str]]:
        entries = await self.store.outbox(STREAM, limit=100)
        letters = [decode_letter(entry.payload) for _, entry in entries if entry.kind == "dead_letter"]
        return [(letter.offset, letter.reason) for letter in letters]


def record(offset: int, fact: Fact) -> Record:
    return Record(offset, NOW, fact.identity.encode(), encode_fact(fact))


def orders(count: int, first: int = 0) -> list[Record]:
    return [record(offset, purchased(f"order-{offset}")) for offset in range(first, first + count)]


def frame(records: Sequence[Record], *, start: int, end: int, generation: int = 1) -> Frame:
    return Frame(
        topic="rapport.events", partition=PARTITION, generation=generation, start=start, end=end, records=records
    )


async def handed(fold: StreamFold, records: Sequence[Record], **where: int) -> Answer:
    return await fold(frame(records, **where))


async def test_a_frame_is_folded_and_the_checkpoint_stands_at_its_end() -> None:
    world = World()

    answer = await handed(world.fold, orders(3), start=0, end=3)

    assert answer == Handled()
    assert await world.orders() == 3
    checkpoint = await world.store.checkpoint(STREAM)
    assert checkpoint == Checkpoint(1, 3, "a log", fingerprint_of(orders(3)))


async def test_a_facet_that_cannot_be_read_stops_its_partition_and_is_left_alone() -> None:
    world = World()
    name = facet_key(PARTITION, purchased().identity)
    world.store.values[name] = msgspec.msgpack.encode([FACET_FORMAT + 1, "of a newer program"])

    answer = await handed(world.fold, orders(1), start=0, end=1)

    assert isinstance(answer, Stopped)
    assert f"facet format {FACET_FORMAT + 1} is not known" in answer.reason
    assert await world.store.checkpoint(STREAM) is None
    del world.store.values[name]
    assert await handed(world.fold, orders(1), start=0, end=1) == Handled()


async def test_a_frame_handed_over_again_changes_nothing() -> None:
    world = World()
    await handed(world.fold, orders(3), start=0, end=3)
    before = world.store.snapshot()

    assert await handed(world.owner(), orders(3), start=0, end=3) == Handled()
    assert world.store.snapshot() == before


async def test_a_store_put_back_after_it_was_found_empty_is_gone_on_with() -> None:
    world = World()
    empty = world.store.snapshot()
    await handed(world.fold, orders(3), start=0, end=3)
    copy = world.store.snapshot()
    world.store.restore(empty)
    owner = world.owner()
    assert isinstance(await handed(owner, orders(1, first=2), start=2, end=3), Stopped)
    world.store.restore(copy)

    assert await handed(owner, orders(1, first=2), start=2, end=3) == Handled()
    assert await handed(owner, orders(2, first=3), start=3, end=5) == Handled()
    assert await world.orders() == 5


async def test_a_frame_that_overlaps_the_checkpoint_is_folded_from_there() -> None:
    world = World()
    await handed(world.fold, orders(3), start=0, end=3)

    assert await handed(world.owner(), orders(4, first=2), start=2, end=6) == Handled()
    assert await world.orders() == 6


async def test_a_frame_behind_the_checkpoint_does_not_move_it_back() -> None:
    world = World()
    await handed(world.fold, orders(5), start=0, end=5)
    before = world.store.snapshot()

    assert await handed(world.fold, orders(2), start=0, end=2) == Handled()
    assert world.store.snapshot() == before


async def test_records_before_the_checkpoint_are_not_set_aside_again() -> None:
    poison = Record(0, NOW, purchased().identity.encode(), b"no fact")
    world = World()
    await handed(world.fold, [poison, *orders(1, first=1)], start=0, end=2)

    assert await handed(world.owner(), [poison, *orders(2, first=1)], start=0, end=3) == Handled()
    assert await world.dead() == [(0, "undecodable")]
    assert await world.orders() == 2


async def test_a_frame_without_records_moves_the_checkpoint() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)

    assert await handed(world.fold, [], start=2, end=9) == Handled()
    checkpoint = await world.store.checkpoint(STREAM)
    assert checkpoint is not None
    assert (checkpoint.offset, checkpoint.fingerprint) == (9, fingerprint_of(orders(2)))


async def test_a_store_that_went_back_in_time_asks_for_the_records_again() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)
    older = world.store.snapshot()
    await handed(world.fold, orders(3, first=2), start=2, end=5)
    world.store.restore(older)

    assert await handed(world.fold, orders(1, first=5), start=5, end=6) == SeekTo(2)
    assert await handed(world.fold, orders(4, first=2), start=2, end=6) == Handled()
    assert await world.orders() == 6


async def test_a_paused_owner_that_wakes_up_writes_nothing() -> None:
    #   sleeper folds 0-2 · another owner folds 2-5 · sleeper hands in 2-4
    world = World()
    sleeper = world.owner()
    await handed(sleeper, orders(2), start=0, end=2)
    await handed(world.owner(), orders(3, first=2), start=2, end=5)
    before = world.store.snapshot()

    assert await handed(sleeper, orders(2, first=2), start=2, end=4) == SeekTo(5)
    assert world.store.snapshot() == before


async def test_facets_of_a_future_that_the_store_lost_are_not_committed() -> None:
    #   owner folds 0-2 · another folds 2-5 · owner reads then · the store goes back to 2 · owner commits 2-4
    world = World(LosesTheFuture())
    await handed(world.fold, orders(2), start=0, end=2)
    assert isinstance(world.store, LosesTheFuture)
    older = world.store.snapshot()
    theirs = [record(offset, purchased(f"order-{offset}", identity=NEIGHBOUR)) for offset in range(2, 5)]
    await handed(world.owner(), theirs, start=2, end=5)
    world.store.before_commit = older

    assert await handed(world.fold, theirs[:2], start=2, end=4) == SeekTo(5)
    assert await world.store.checkpoint(STREAM) == Checkpoint(1, 5, "a log", fingerprint_of(theirs))


async def test_an_owner_goes_on_where_a_person_moved_the_checkpoint_to() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)
    standing = await world.store.checkpoint(STREAM)
    await world.store.commit(Commit(stream=STREAM, expected=standing, next=Checkpoint(1, 7, "a log")))

    assert await handed(world.fold, orders(2, first=7), start=7, end=9) == Handled()
    assert await world.orders() == 4


async def test_a_raised_incarnation_makes_the_owner_read_everything_again() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)
    standing = await world.store.checkpoint(STREAM)
    assert standing is not None
    raised = Checkpoint(1, 2, "a log", standing.fingerprint, incarnation=1)
    await world.store.commit(Commit(stream=STREAM, expected=standing, next=raised))

    assert await handed(world.fold, orders(1, first=2), start=2, end=3) == SeekTo(2)
    assert await handed(world.fold, orders(1, first=2), start=2, end=3) == Handled()
    after = await world.store.checkpoint(STREAM)
    assert after is not None
    assert after.incarnation == 1


@pytest.mark.parametrize("log", [LogIdentity(epoch=1, topic_id="made anew"), LogIdentity(epoch=0, topic_id="a log")])
async def test_another_log_stops_the_partition(log: LogIdentity) -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)

    answer = await handed(world.owner(log), orders(1, first=2), start=2, end=3)

    assert isinstance(answer, Stopped)
    assert "another log" in answer.reason


async def test_another_record_at_the_checkpoint_stops_the_partition() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)

    answer = await handed(world.owner(), [record(1, purchased("another"))], start=1, end=2)

    assert isinstance(answer, Stopped)
    assert "replaced" in answer.reason


async def test_a_log_whose_start_is_gone_is_not_begun_in_the_middle() -> None:
    answer = await handed(World().fold, orders(1, first=7), start=7, end=8)

    assert isinstance(answer, Stopped)


async def test_a_log_that_stayed_the_same_keeps_its_place_when_an_epoch_is_opened_for_another() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)

    later = world.owner(LogIdentity(epoch=2, topic_id="a log"))

    assert await handed(later, orders(1, first=2), start=2, end=3) == Handled()
    assert await world.orders() == 3
    assert await world.store.checkpoint(STREAM) == Checkpoint(2, 3, "a log", fingerprint_of(orders(3)))


async def test_a_log_that_was_cut_is_folded_from_where_it_is_another_one() -> None:
    world = World()
    await handed(world.fold, orders(5), start=0, end=5)
    ends = [7] * PARTITIONS
    ends[STREAM.partition] = 3
    later = world.owner(LogIdentity(epoch=2, topic_id="a log", first=ends))
    others = [record(at, purchased(f"after-the-cut-{at}")) for at in (3, 4)]

    assert await handed(later, others, start=3, end=5) == Handled()

    assert await world.orders() == 7
    assert await world.store.checkpoint(STREAM) == Checkpoint(2, 5, "a log", fingerprint_of(others))


async def test_a_partition_that_kept_its_end_keeps_its_place_where_another_lost_its_own() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)
    later = world.owner(LogIdentity(epoch=2, topic_id="a log", first=[2] * PARTITIONS))

    assert await handed(later, orders(3), start=1, end=3) == Handled()

    assert await world.orders() == 3
    assert await world.store.checkpoint(STREAM) == Checkpoint(2, 3, "a log", fingerprint_of(orders(3)))


class Weighs(MemoryStore):
    """A store whose commits carry at most so many facets."""

    facets_max = 1

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        if len(commit.facets) > self.facets_max:
            raise CommitTooHeavy
        return await super().commit(commit)


async def test_a_step_too_heavy_for_one_commit_is_cut_until_it_is_not() -> None:
    world = World(Weighs())
    records = [
        record(offset, purchased(f"order-{offset}", identity=(NEIGHBOUR, purchased().identity)[offset % 2]))
        for offset in range(5)
    ]

    assert await handed(world.fold, records, start=0, end=9) == Handled()
    assert await world.orders() == 2
    assert await world.store.checkpoint(STREAM) == Checkpoint(1, 9, "a log", fingerprint_of(records))


async def test_one_record_too_heavy_for_a_commit_is_a_defect() -> None:
    world = World(Weighs())
    assert isinstance(world.store, Weighs)
    world.store.facets_max = 0

    with pytest.raises(CommitTooHeavy):
        await handed(world.fold, orders(1), start=0, end=1)


async def test_an_adopted_log_is_read_from_its_start() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)

    adopted = world.owner(LogIdentity(epoch=2, topic_id="made anew"))
    answer = await handed(adopted, [record(0, purchased("in-the-new-log"))], start=0, end=1)

    assert answer == Handled()
    assert await world.orders() == 3


@pytest.mark.parametrize("folded", [0, 1, 2])
async def test_a_store_put_back_from_before_an_adoption_does_not_skip_the_end_of_the_old_log(folded: int) -> None:
    world = World()
    await handed(world.fold, orders(folded), start=0, end=folded)

    adopted = world.owner(LogIdentity(epoch=2, topic_id="made anew", earlier={1: (3,) * PARTITIONS}))
    answer = await handed(adopted, [record(0, purchased("in-the-new-log"))], start=0, end=1)

    assert isinstance(answer, Stopped)
    assert f"lacks {folded} to 2 of epoch 1" in answer.reason
    assert await world.orders() == folded

    await handed(world.owner(LOG), orders(3 - folded, first=folded), start=folded, end=3)

    assert await handed(adopted, [record(0, purchased("in-the-new-log"))], start=0, end=1) == Handled()
    assert await world.orders() == 4


async def test_what_cannot_be_folded_is_set_aside_and_harms_nothing_else() -> None:
    world = World()
    key = purchased().identity.encode()
    records = [
        record(0, purchased("one", event_id="the same")),
        Record(1, NOW, key, b"not a fact"),
        record(2, purchased("two", event_id="the same")),
        Record(3, NOW, b"app:another", encode_fact(purchased("three"))),
        record(4, consent("given", "no.such.purpose")),
        record(5, purchased("four")),
    ]

    assert await handed(world.fold, records, start=0, end=6) == Handled()
    assert await world.dead() == [(1, "undecodable"), (2, "conflict"), (3, "undecodable"), (4, "unknown_purpose")]
    assert await world.orders() == 2


async def test_a_dead_letter_opens_with_the_key_of_its_day_only() -> None:
    world = World()
    await handed(world.fold, [Record(0, NOW, b"key", b"somebody said this")], start=0, end=1)
    ((_, entry),) = await world.store.outbox(STREAM, limit=10)
    letter = decode_letter(entry.payload)

    key = await world.letters.key_of(letter.day, make=False)
    assert key is not None
    assert unseal(letter, {letter.day: key}).value == b"somebody said this"
    assert b"said this" not in entry.payload
    with pytest.raises(KeyError):
        unseal(letter, {})


async def test_a_folded_no_releases_its_hold_even_when_it_comes_twice() -> None:
    world = World()
    no = consent("withdrawn", "profile.build")

    await handed(world.fold, [record(0, no), record(1, no)], start=0, end=2)

    assert [entry.kind for _, entry in await world.store.outbox(STREAM, limit=10)] == ["release", "release"]


async def test_reading_goes_on_one_record_before_the_checkpoint() -> None:
    world = World()
    await handed(world.fold, orders(3), start=0, end=3)

    async def starts(_topic: str) -> dict[int, int]:
        return {PARTITION: 0}

    positions = StoredCheckpoints(app="profiles", store=world.store, starts=starts, logs={"rapport.events": LOG})

    assert await positions.committed("rapport.events", [PARTITION, PARTITION + 1]) == {
        PARTITION: 2,
        PARTITION + 1: None,
    }


async def test_a_hole_before_a_frame_is_asked_for_and_not_skipped() -> None:
    world = World()
    await handed(world.fold, orders(3), start=0, end=3)

    assert await handed(world.owner(), orders(1, first=5), start=5, end=6) == SeekTo(3)
    assert await world.orders() == 3


async def test_a_new_generation_goes_on_from_what_another_owner_left() -> None:
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)
    await handed(world.owner(), orders(3, first=2), start=2, end=5)

    assert await handed(world.fold, orders(1, first=5), start=5, end=6, generation=3) == Handled()
    assert await world.orders() == 6


async def test_a_new_generation_does_not_take_as_folded_what_the_store_has_lost() -> None:
    #   owner folds 0-2, 2-5 · the store goes back to 2 · the owner is assigned the partition anew and handed 2-5
    world = World()
    await handed(world.fold, orders(2), start=0, end=2)
    older = world.store.snapshot()
    await handed(world.fold, orders(3, first=2), start=2, end=5)
    world.store.restore(older)

    assert await handed(world.fold, orders(3, first=2), start=2, end=5, generation=2) == Handled()
    assert await world.orders() == 5
    assert await world.store.checkpoint(STREAM) == Checkpoint(1, 5, "a log", fingerprint_of(orders(5)))


async def test_what_would_be_laid_into_a_full_outbox_waits_until_the_relay_made_room() -> None:
    world = World()
    woken: list[Stream] = []
    world.fold.on_outbox = woken.append
    waiting = [OutboxEntry(offset=0, index=at, kind="candidate", payload=b"") for at in range(OUTBOX_MAX + 1)]
    filled = Checkpoint(1, 1, "a log")
    await world.store.commit(Commit(stream=STREAM, expected=None, next=filled, outbox=waiting))
    poison = Record(1, NOW, purchased().identity.encode(), b"no fact")

    with pytest.raises(OutboxFull):
        await handed(world.fold, [poison], start=1, end=2)
    assert woken == [STREAM]
    assert await world.store.checkpoint(STREAM) == filled
    assert await handed(world.fold, orders(1, first=1), start=1, end=2) == Handled()  # it lays nothing into it

    (oldest, _), *_ = await world.store.outbox(STREAM, limit=1)
    await world.store.drop_outbox(STREAM, [oldest])
    poison = msgspec.structs.replace(poison, offset=2)
    assert await handed(world.fold, [poison], start=2, end=3) == Handled()


@given(st.integers(0, 5000), st.integers(1, 3 * FACETS_MAX), st.sampled_from([1, RUN_BYTES // 3, RUN_BYTES + 1]))
def test_runs_are_all_the_records_in_order_and_no_more_than_a_commit_takes(count: int, people: int, size: int) -> None:
    value = bytes(size)
    records = [Record(at, NOW, f"{at * 7919 % people}".encode(), value) for at in range(count)]

    runs = chunks(records, end=count + 7)

    assert [record for run, _ in runs for record in run] == records
    assert [end for _, end in runs] == [*(run[0].offset for run, _ in runs[1:]), count + 7]
    for run, _ in runs:
        assert len({record.key for record in run}) <= FACETS_MAX
        assert len(run) <= FRAME_RECORDS
        assert len(run) <= 1 or len(run) * size <= RUN_BYTES


def test_a_busy_person_s_records_are_one_run() -> None:
    records = [Record(at, NOW, f"{at % FACETS_MAX}".encode(), b"") for at in range(FRAME_RECORDS)]
    assert chunks(records, end=FRAME_RECORDS) == [(records, FRAME_RECORDS)]
