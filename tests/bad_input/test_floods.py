"""Nothing but poison, and nowhere to put it: the partition waits or goes on, and nothing is dropped."""

import logging
from collections.abc import Sequence

import pytest

from events.position import Stream
from profiles.memory_store import MemoryStore
from profiles.store import Commit, Committed, Mismatch
from streams.dead_letters import FLOOD, DeadLetter
from streams.folding import OUTBOX_MAX, OutboxFull
from streams.frame import Frame, Record
from streams.memory_dead_letters import MemoryDeadLetters
from streams.relay import PublishFailed
from streams.runs import FRAME_RECORDS
from tests.bad_input.cases import ANNA
from tests.builders import NOW, event, raw
from tests.streams.dead_letter_world import INTAKE, LetterWorld

STREAM = Stream("profiles", INTAKE, 0)
POISON = f"{ANNA} {{".encode()
VISIT = raw(event("service.visited", place="shop"))


class Letters(MemoryDeadLetters):
    """Counts who asks for keys; away when it is told so."""

    is_away = False
    asked = 0

    async def key_of(self, day: int, *, make: bool) -> bytes | None:
        self.asked += 1
        if self.is_away:
            raise ConnectionError
        return await super().key_of(day, make=make)


class Counting(MemoryStore):
    """Counts commits."""

    commits = 0

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        self.commits += 1
        return await super().commit(commit)


def poison(count: int, first: int = 0) -> list[Record]:
    return [Record(offset, NOW, None, POISON) for offset in range(first, first + count)]


def frame(records: list[Record]) -> Frame:
    end = records[-1].offset + 1
    return Frame(topic=INTAKE, partition=0, generation=1, start=0, end=end, records=records)


async def started(letters: MemoryDeadLetters, store: MemoryStore | None = None) -> LetterWorld:
    worker = LetterWorld(letters=letters, store=store)
    await worker.log.start()
    return worker


@pytest.mark.thorough
async def test_a_flood_of_poison_costs_as_many_commits_as_good_events_and_a_line_of_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad, good, letters = Counting(), Counting(), Letters()
    count = 6 * FRAME_RECORDS
    assert count > FLOOD

    with caplog.at_level(logging.DEBUG):
        await (await started(letters, bad)).take(STREAM, poison(count))
    lines = [line for line in caplog.records if line.name.startswith("streams")]
    await (await started(Letters(), good)).take(STREAM, [Record(at, NOW, b"k", VISIT) for at in range(count)])

    assert bad.commits == good.commits
    assert letters.asked == 1
    assert [line.levelname for line in lines] == ["ERROR"]
    assert ANNA not in caplog.text
    assert len([letter async for letter in letters.listed()]) == count


async def test_good_events_go_on_in_the_middle_of_a_flood(worker: LetterWorld) -> None:
    records = poison(1000)
    records[500] = Record(500, NOW, b"app:42", VISIT)

    await worker.take(STREAM, records)
    await worker.work_on_facts()

    assert len(await worker.kept()) == 999
    assert (await worker.facet()).service.touch


async def test_while_no_letter_can_be_made_the_partition_waits_and_drops_nothing() -> None:
    letters = Letters()
    letters.is_away = True
    worker = await started(letters)
    records = [Record(0, NOW, b"app:42", VISIT), *poison(2, first=1)]

    with pytest.raises(ConnectionError):
        await worker.take(STREAM, records)
    assert await worker.store.checkpoint(STREAM) is None

    letters.is_away = False
    checkpoint = await worker.take(STREAM, records)
    await worker.work_on_facts()
    assert checkpoint is not None
    assert checkpoint.offset == 3
    assert await worker.reasons() == [(1, "not_json"), (2, "not_json")]
    assert (await worker.facet()).service.touch


class Nowhere(MemoryDeadLetters):
    """Letters can be made and not be kept."""

    is_away = True

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        if self.is_away:
            raise PublishFailed("nobody is there")
        await super().keep(letters)


@pytest.mark.thorough
async def test_while_letters_cannot_be_kept_they_wait_in_the_outbox_until_it_is_full() -> None:
    letters = Nowhere()
    worker = await started(letters)
    records = poison(OUTBOX_MAX + 3 * FRAME_RECORDS)

    with pytest.raises(OutboxFull):
        await worker.fold(frame(records))
    stood = await worker.store.checkpoint(STREAM)
    assert stood is not None
    assert OUTBOX_MAX <= stood.offset <= OUTBOX_MAX + FRAME_RECORDS
    assert await worker.store.outbox_length(STREAM) == stood.offset

    letters.is_away = False
    await worker.relay.drain(STREAM)
    checkpoint = await worker.take(STREAM, records)
    assert checkpoint is not None
    assert checkpoint.offset == len(records)
    assert len(await worker.kept()) == len(records)
