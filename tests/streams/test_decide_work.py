"""The stream of decisions: candidates from the outbox to their person, timers, and what is none."""

import pytest
from msgspec.structs import replace

from events.log import LogUnavailable
from events.partitioning import partition_of
from events.position import Stream
from outreach.candidates import Candidate, encode_candidate
from profiles.memory_store import MemoryStore
from profiles.store import OutboxEntry
from streams.candidate_relay import CandidateRelay
from streams.dead_letters import Undertaker, decode_letter
from streams.decide_work import DecideWork, in_parallel
from streams.folding import LogIdentity, StreamFold
from streams.frame import Frame, Handled, Record
from streams.memory_dead_letters import MemoryDeadLetters
from streams.relay import PublishFailed
from tests.builders import DAY, NOW, PARTITIONS, complaint, pseudonym
from tests.outreach.world import ANNA, PUSH, TOPICS, OutreachWorld, agreed, three

HOME = partition_of(pseudonym(ANNA).encode(), PARTITIONS)
STREAM = Stream("profiles", TOPICS.decisions, HOME)


def stream_fold(world: OutreachWorld, store: MemoryStore) -> StreamFold:
    work = DecideWork(decider=world.decider, undertaker=Undertaker(keys=MemoryDeadLetters()), clock=lambda: world.now)
    return StreamFold(
        app="profiles", topic=TOPICS.decisions, log=LogIdentity(epoch=1, topic_id="a log"), store=store, work=work
    )


def frame(values: list[bytes | None]) -> Frame:
    records = [Record(offset, NOW, None, value) for offset, value in enumerate(values)]
    return Frame(topic=TOPICS.decisions, partition=HOME, generation=1, start=0, end=len(records), records=records)


async def test_candidates_of_a_frame_are_decided_and_what_is_none_is_set_aside() -> None:
    world, store = OutreachWorld(), MemoryStore()
    found = await world.hear(*agreed(PUSH), *three())
    handed = frame([b"\xc1", None, *map(encode_candidate, found)])

    assert await stream_fold(world, store)(handed) == Handled()

    assert await world.verdicts(ANNA) == [("send", "allowed")]
    letters = [decode_letter(entry.payload) for _, entry in await store.outbox(STREAM, limit=10)]
    assert [(letter.offset, letter.reason) for letter in letters] == [(0, "undecodable"), (1, "undecodable")]


async def test_a_frame_handed_over_again_after_a_crash_decides_nothing_twice() -> None:
    world = OutreachWorld()
    found = await world.hear(*agreed(PUSH), *three())
    handed = frame([encode_candidate(each) for each in found])
    for store in (MemoryStore(), MemoryStore()):  # the first checkpoint was lost with its store
        assert await stream_fold(world, store)(handed) == Handled()

    assert len(world.messages()) == 1
    assert await world.verdicts(ANNA) == [("send", "allowed")]


async def test_the_failure_of_one_person_s_candidate_leaves_the_others_decided() -> None:
    done: list[int] = []

    async def do(number: int) -> None:
        if number == 1:
            raise LogUnavailable("nobody answers")
        done.append(number)

    with pytest.raises(LogUnavailable):
        await in_parallel(range(50), do)
    assert len(done) == 49


async def test_the_relay_keys_a_candidate_by_its_person() -> None:
    world = OutreachWorld()
    await world.hear(*agreed(PUSH))
    entry = bare_entry()

    await CandidateRelay(world.decider, lambda: NOW)(STREAM, [entry, bare_entry(payload=b"\xc1")])

    [record] = world.log.records(TOPICS.decisions, HOME)
    assert record.key == pseudonym(ANNA).encode()


async def test_the_relay_waits_for_a_log_that_does_not_answer() -> None:
    world = OutreachWorld()
    with pytest.raises(PublishFailed):
        await CandidateRelay(world.decider, lambda: NOW)(STREAM, [bare_entry()])


def bare_entry(*, payload: bytes | None = None) -> OutboxEntry:
    fact = complaint()
    candidate = Candidate(1, "complaint-unsolved", fact.identity, "case-1", NOW, NOW + DAY, fact.event_key)
    return OutboxEntry(offset=0, index=1, kind="candidate", payload=payload or encode_candidate(candidate))


async def test_a_timer_is_fired_when_it_is_due_and_once_more_only_after_a_crash() -> None:
    world = OutreachWorld()
    await world.told(complaint())
    world.now = NOW + DAY - 1
    assert await world.timers.fire() == 0
    world.now = NOW + DAY
    assert await world.timers.fire() == 1
    assert await world.timers.fire() == 0

    await world.settle()
    assert [message["service"] for message in world.messages()] == ["care-call"]


async def test_timers_stay_while_the_log_does_not_answer() -> None:
    world = OutreachWorld()
    await world.told(complaint())
    world.now = NOW + DAY
    await world.log.stop()
    with pytest.raises(LogUnavailable):
        await world.timers.fire()
    await world.log.start()
    assert await world.timers.fire() == 1


async def test_a_timer_that_cannot_be_read_is_dropped_and_the_others_fire() -> None:
    world = OutreachWorld()
    [candidate] = await world.hear(complaint())
    await world.decider.timers.schedule(HOME, replace(candidate, format=9))
    await world.decider.timers.schedule(HOME, candidate)
    world.now = NOW + DAY
    assert await world.timers.fire() == 2
    assert await world.timers.fire() == 0
