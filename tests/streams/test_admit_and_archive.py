"""Intake records become facts on the log; facts become history; outboxes are published and emptied."""

import asyncio
import itertools
import json
from collections.abc import Sequence

import pytest

from events.admission import INTAKE, Admitted, Door
from events.fact import Fact
from events.log import LogRefused
from events.position import Checkpoint, Stream
from profiles.memory_store import MemoryStore
from profiles.store import Commit, EntryKind, OutboxEntry
from streams.admit_work import AdmitWork
from streams.archive_work import ArchivedPositions, Archiver
from streams.dead_letters import Undertaker, decode_letter
from streams.folding import LogIdentity, Step
from streams.frame import Frame, Handled, Record, SeekTo
from streams.memory_dead_letters import MemoryDeadLetters
from streams.relay import Publish, PublishFailed, Relay
from tests.builders import ADMISSION, DAY, NOW, TRUSTED, event, pseudonym
from tests.waiting import eventually

LOG = LogIdentity(epoch=1, topic_id="a log")
INTAKE_STREAM = Stream("profiles", "rapport.intake", 0)


class Appended:
    """A log that keeps what is appended, or is away."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.away = False

    async def append(self, admitted: Sequence[Admitted]) -> None:
        if self.away:
            raise ConnectionError
        self.facts += [one.fact for one in admitted]


def admitting(log: Appended, door: Door = INTAKE) -> AdmitWork:
    return AdmitWork(
        admission=ADMISSION, door=door, log=log, undertaker=Undertaker(keys=MemoryDeadLetters()), clock=lambda: NOW
    )


def sent(offset: int, said: object) -> Record:
    return Record(offset, NOW, b"app:42", json.dumps(said).encode())


def reasons(step: Step) -> list[tuple[int, str]]:
    return [(entry.offset, decode_letter(entry.payload).reason) for entry in step.outbox]


async def test_an_admitted_event_stands_on_the_log_before_the_checkpoint_moves() -> None:
    log = Appended()
    bought = event("transaction.purchased", order_id="o", total={"amount": 5, "currency": "EUR"})

    step = await admitting(log).step(INTAKE_STREAM, 1, [sent(0, bought)])

    assert [fact.type for fact in log.facts] == ["transaction.purchased"]
    assert log.facts[0].received_at == NOW
    assert step.outbox == []


async def test_a_sender_cannot_make_a_time_to_come_pass_for_the_present() -> None:
    log = Appended()
    visit = event("service.visited", place="shop", at=NOW + 365 * DAY)
    records = [
        Record(0, NOW + 365 * DAY, b"app:42", json.dumps(visit).encode()),
        Record(1, NOW + 365 * DAY, b"app:42", json.dumps(event("service.visited", place="shop")).encode()),
    ]

    step = await admitting(log).step(INTAKE_STREAM, 1, records)

    assert reasons(step) == [(0, "bad_time")]
    assert [fact.received_at for fact in log.facts] == [NOW]


async def test_a_refused_event_is_set_aside_with_its_code_and_the_others_go_on() -> None:
    log = Appended()
    records = [
        Record(0, NOW, None, b"{"),
        sent(1, event("consent.given", purpose="profile.build")),
        sent(2, event("service.visited", place="shop")),
        Record(3, NOW, b"app:42", None),
    ]

    step = await admitting(log).step(INTAKE_STREAM, 1, records)

    assert reasons(step) == [(0, "not_json"), (1, "type_not_allowed"), (3, "not_json")]
    assert [fact.type for fact in log.facts] == ["service.visited"]


class Choosy(Appended):
    """A log that will not take facts about some; the others of a call are acknowledged."""

    unwanted: tuple[str, ...] = ()

    async def append(self, admitted: Sequence[Admitted]) -> None:
        refused = {at: "too large" for at, one in enumerate(admitted) if one.fact.identity in self.unwanted}
        await super().append([one for at, one in enumerate(admitted) if at not in refused])
        if refused:
            raise LogRefused(f"{len(refused)} records were refused", failed=refused)


async def test_what_the_log_will_never_take_is_set_aside_and_the_worker_goes_on() -> None:
    log = Choosy()
    log.unwanted = (pseudonym("app:huge"),)
    records = [
        sent(3, event("identity.linked", subject="app:1", other="app:2", strength="verified", reason="tests")),
        sent(5, event("service.visited", subject="app:huge", place="shop")),
        Record(6, NOW, None, b"{"),
        sent(8, event("service.visited", subject="app:3", place="shop")),
    ]

    step = await admitting(log, TRUSTED).step(INTAKE_STREAM, 1, records)

    assert reasons(step) == [(5, "log_refused"), (6, "not_json")]
    assert len(log.facts) == 3


async def test_a_log_that_is_away_is_no_reason_to_set_anything_aside() -> None:
    log = Appended()
    log.away = True

    with pytest.raises(ConnectionError):
        await admitting(log).step(INTAKE_STREAM, 1, [sent(0, event("service.visited", place="shop"))])


async def test_a_bound_intake_takes_consents_of_its_source_only() -> None:
    log = Appended()
    records = [
        sent(0, event("consent.given", purpose="profile.build", source="crm")),
        sent(1, event("consent.given", purpose="profile.build", source="shop")),
    ]

    step = await admitting(log, Door(name="intake", source="crm")).step(INTAKE_STREAM, 1, records)

    assert [fact.type for fact in log.facts] == ["consent.given"]
    assert reasons(step) == [(1, "type_not_allowed")]


class Segments:
    """An archive in memory."""

    def __init__(self) -> None:
        self.ends: dict[int, int] = {}
        self.offsets: list[int] = []

    def contiguous_end(self, _epoch: int, partition: int) -> int:
        return self.ends.get(partition, 0)

    def append(self, _epoch: int, partition: int, start: int, end: int, records: Sequence[Record]) -> None:
        assert start == self.ends.get(partition, 0)
        self.ends[partition] = end
        self.offsets += [record.offset for record in records]


def frame(start: int, end: int, *, generation: int = 1) -> Frame:
    records = [Record(offset, NOW, b"k", b"v") for offset in range(start, end)]
    return Frame(topic="rapport.events", partition=0, generation=generation, start=start, end=end, records=records)


async def test_history_ends_where_the_last_written_segment_ends() -> None:
    segments = Segments()
    archiver = Archiver(archive=segments, log=LOG)

    assert await archiver(frame(0, 3)) == Handled()
    assert await archiver(frame(3, 5)) == Handled()
    assert segments.ends == {}
    await archiver.flush()

    assert segments.ends == {0: 5}
    assert await ArchivedPositions(archive=segments, log=LOG).committed("rapport.events", [0, 1]) == {0: 5, 1: None}


async def test_what_was_gathered_by_an_owner_that_lost_the_partition_is_not_written() -> None:
    segments = Segments()
    archiver = Archiver(archive=segments, log=LOG)
    await archiver(frame(0, 3))
    segments.append(1, 0, 0, 4, [])  # the owner in between

    assert await archiver(frame(3, 6, generation=2)) == Handled()
    await archiver.flush()

    assert segments.offsets == [4, 5]


async def test_a_hole_before_a_frame_is_asked_for() -> None:
    assert await Archiver(archive=Segments(), log=LOG)(frame(4, 6)) == SeekTo(0)


async def with_entries(store: MemoryStore, count: int) -> Stream:
    stream = Stream("profiles", "rapport.events", 0)
    entries = [OutboxEntry(offset=offset, index=1, kind="candidate", payload=b"%d" % offset) for offset in range(count)]
    await store.commit(Commit(stream=stream, expected=None, next=Checkpoint(1, count), outbox=entries))
    return stream


async def test_the_relay_publishes_in_order_and_empties_the_outbox() -> None:
    store = MemoryStore()
    stream = await with_entries(store, 450)
    published: list[bytes] = []

    async def publish(_stream: Stream, entries: Sequence[OutboxEntry]) -> None:
        published.extend(entry.payload for entry in entries)

    relay = Relay(store=store, publish={"candidate": publish}, owned=lambda: [stream])

    assert await relay.drain(stream) == 450
    assert published == [b"%d" % offset for offset in range(450)]
    assert await store.outbox_length(stream) == 0


async def test_an_entry_that_could_not_be_published_stays() -> None:
    store = MemoryStore()
    stream = await with_entries(store, 2)

    async def publish(_stream: Stream, _entries: Sequence[OutboxEntry]) -> None:
        raise PublishFailed("nobody is there")

    relay = Relay(store=store, publish={"candidate": publish}, owned=lambda: [stream])

    with pytest.raises(PublishFailed):
        await relay.drain(stream)
    assert await store.outbox_length(stream) == 2


async def test_a_receiver_that_is_away_is_waited_for_and_holds_up_no_other_outbox() -> None:
    store = MemoryStore()
    stream = await with_entries(store, 2)
    other = Stream("profiles", "rapport.events", 1)
    letter = OutboxEntry(offset=0, index=0, kind="dead_letter", payload=b"letter")
    await store.commit(Commit(stream=other, expected=None, next=Checkpoint(1, 1), outbox=[letter]))
    arrived: list[bytes] = []
    tries = itertools.count(1)

    async def away_twice(_stream: Stream, entries: Sequence[OutboxEntry]) -> None:
        if next(tries) <= 2:
            raise PublishFailed("nobody is there")
        arrived.extend(entry.payload for entry in entries)

    async def keep(_stream: Stream, entries: Sequence[OutboxEntry]) -> None:
        arrived.extend(entry.payload for entry in entries)

    publish: dict[EntryKind, Publish] = {"candidate": away_twice, "dead_letter": keep}
    relay = Relay(store=store, publish=publish, owned=lambda: [stream, other], idle_s=0.01)
    running = asyncio.create_task(relay.run())
    await eventually(lambda: _is_empty(store, stream))
    running.cancel()

    assert arrived == [b"letter", b"0", b"1"]
    assert await store.outbox_length(other) == 0


async def _is_empty(store: MemoryStore, stream: Stream) -> bool:
    return await store.outbox_length(stream) == 0
