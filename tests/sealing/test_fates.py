"""What becomes of facts when their keys do not answer, were destroyed, are not theirs, or are not there at all."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.body_keys import BodyKeysUnavailable, KeyMaker, KeyName, StoredKey, period_of
from events.fact import Fact, encode_fact
from events.history import History
from events.log import LogUnavailable
from events.memory_body_keys import MemoryBodyKeys
from events.memory_log import MemoryLog, MemoryRecord
from events.partitioning import partition_of
from events.position import Position, Stream
from events.sealing import Sealing
from events.segments import HistoryDamaged
from profiles.facet_cache import FacetCache
from profiles.memory_store import MemoryStore
from streams.dead_letters import Undertaker, decode_letter
from streams.fold_work import FoldWork
from streams.folding import LogIdentity, StreamFold
from streams.frame import Answer, Frame, Handled, Record, Stopped
from streams.memory_dead_letters import MemoryDeadLetters
from streams.patience import Away
from tests.builders import NOW, PARTITIONS, admitted, consent, purchased
from tests.sealing.keys import sealing_over

TOPIC = "rapport.events"
OTHERS = (f"app:{at}" for at in range(1000))
PARTITION = partition_of(purchased().identity.encode(), PARTITIONS)
BESIDE = next(who for who in OTHERS if admitted(purchased(identity=who)).partition == PARTITION)
"""Somebody else in the same partition."""


class Silent(MemoryBodyKeys):
    """Keys that answer only when they are let."""

    is_away = False

    def named(self, names: Collection[Any]) -> dict[Any, StoredKey]:
        self._answer()
        return super().named(names)

    def find(self, ids: Collection[str]) -> dict[str, bytes | None]:
        self._answer()
        return super().find(ids)

    def _answer(self) -> None:
        if self.is_away:
            raise BodyKeysUnavailable("the keys do not answer")


class Partition:
    """One partition's owner, with keys of its own."""

    def __init__(self) -> None:
        self.keys, self.store = Silent(), MemoryStore(partitions=PARTITIONS)
        self.stream = Stream("profiles", TOPIC, PARTITION)

    def sealing(self) -> Sealing:
        """As a process that was just started: it remembers nothing."""
        return sealing_over(self.keys)

    def sealed(self, *facts: Fact) -> list[Record]:
        values = self.sealing().seal(facts)
        return [
            Record(at, NOW, some.identity.encode(), value)
            for at, (some, value) in enumerate(zip(facts, values, strict=True))
        ]

    async def take(self, records: list[Record]) -> Answer:
        work = FoldWork(
            facets=FacetCache(self.store),
            undertaker=Undertaker(keys=MemoryDeadLetters()),
            candidates=lambda _fact, _position: (),
            clock=lambda: NOW,
            partitions=PARTITIONS,
            sealing=self.sealing(),
        )
        log = LogIdentity(epoch=1, topic_id="a log")
        fold = StreamFold(app="profiles", topic=TOPIC, log=log, store=self.store, work=work)
        end = len(records)
        return await fold(
            Frame(topic=TOPIC, partition=PARTITION, generation=1, start=0, end=end, records=tuple(records))
        )

    async def orders(self, identity: str = "app:42") -> set[str]:
        name = purchased(identity=identity).identity
        found = await self.store.load(PARTITION, [name])
        return set(found[name].service.orders) if name in found else set()

    async def letters(self) -> list[tuple[int, str]]:
        entries = [entry for _, entry in await self.store.outbox(self.stream, limit=100)]
        return [(entry.offset, decode_letter(entry.payload).reason) for entry in entries if entry.kind == "dead_letter"]


async def test_sealed_and_clear_facts_are_folded_alike() -> None:
    partition = Partition()
    clear = purchased("o-2")
    records = [*partition.sealed(purchased("o-1")), Record(1, NOW, clear.identity.encode(), encode_fact(clear))]

    assert await partition.take(records) == Handled()
    assert await partition.orders() == {"o-1", "o-2"}


async def test_facts_whose_key_was_destroyed_are_passed_over_and_are_no_dead_letters() -> None:
    partition = Partition()
    records = partition.sealed(purchased("o-1"), purchased("o-2", identity=BESIDE), purchased("o-3"))
    partition.keys.destroy([purchased().identity])

    assert await partition.take(records) == Handled()

    assert (await partition.orders(), await partition.orders(BESIDE)) == (set(), {"o-2"})
    assert await partition.letters() == []
    checkpoint = await partition.store.checkpoint(partition.stream)
    assert checkpoint is not None
    assert checkpoint.offset == 3


async def test_while_the_keys_are_away_the_fold_waits_and_nothing_is_set_aside() -> None:
    partition = Partition()
    records = partition.sealed(purchased("o-1"))
    partition.keys.is_away = True

    with pytest.raises(Away):
        await partition.take(records)

    assert await partition.store.checkpoint(partition.stream) is None
    partition.keys.is_away = False
    assert await partition.take(records) == Handled()
    assert await partition.orders() == {"o-1"}


async def test_a_key_of_ours_that_is_not_there_stops_the_partition_until_it_is_given_up() -> None:
    partition, elsewhere = Partition(), Partition()
    records = elsewhere.sealed(purchased("o-1"))
    name = KeyName(purchased().identity, "service.fulfil", period_of(NOW))
    [stored] = elsewhere.keys.named([name]).values()

    answer = await partition.take(records)

    assert isinstance(answer, Stopped)
    assert f"rapport keys give-up {stored.id}" in answer.reason
    assert await partition.store.checkpoint(partition.stream) is None
    partition.keys.give_up([stored.id])
    assert await partition.take(records) == Handled()
    assert await partition.orders() == set()


async def test_a_body_under_a_key_of_another_installation_is_set_aside() -> None:
    partition = Partition()
    foreign = sealing_over(MemoryBodyKeys(), maker=KeyMaker(b"another's secret" * 2))
    records = [Record(0, NOW, purchased().identity.encode(), foreign.seal([purchased("o-1")])[0])]

    assert await partition.take(records) == Handled()
    assert await partition.letters() == [(0, "undecodable")]


async def test_a_body_moved_to_another_header_is_set_aside() -> None:
    partition = Partition()
    first, second = partition.sealed(purchased("o-1"), purchased("o-2"))
    header, body = (msgspec.msgpack.decode(each.value or b"") for each in (first, second))
    moved = Record(0, NOW, first.key, msgspec.msgpack.encode([*header[:-1], body[-1]]))

    assert await partition.take([moved]) == Handled()
    assert await partition.letters() == [(0, "undecodable")]


async def test_nothing_goes_on_the_log_in_clear_because_the_keys_are_away() -> None:
    keys = Silent()
    log = MemoryLog(topic=TOPIC, partitions=PARTITIONS, sealing=sealing_over(keys))
    await log.start()
    keys.is_away = True

    with pytest.raises(LogUnavailable, match="sealed") as failure:
        await log.append([admitted(purchased("o-1")), admitted(consent("given", "profile.build"))])

    assert set(failure.value.failed) == {0, 1}
    assert [log.records(TOPIC, at) for at in range(PARTITIONS)] == [()] * PARTITIONS


async def test_switched_off_nothing_new_is_sealed_and_what_was_is_still_read() -> None:
    partition = Partition()
    [before] = partition.sealed(purchased("o-1"))
    off = sealing_over(partition.keys, is_on=False)

    [after] = await off.sealed([purchased("o-2")])

    assert after == encode_fact(purchased("o-2"))
    assert [each.fact() for each in off.look_up([before.value, after])] == [purchased("o-1"), purchased("o-2")]


def archived(folder: Path, partition: Partition, *facts: Fact) -> History:
    history = History(folder, partition.sealing())
    rows = [MemoryRecord(each.offset, NOW, each.key, each.value) for each in partition.sealed(*facts)]
    history.append(1, 0, 0, len(rows), rows)
    return history


def test_history_passes_over_what_was_destroyed_and_keeps_the_rest(tmp_path: Path) -> None:
    partition = Partition()
    history = archived(tmp_path, partition, purchased("o-1"), purchased("o-2", identity=BESIDE))
    partition.keys.destroy([purchased().identity])

    read = History(tmp_path, partition.sealing())

    assert list(read.facts()) == [(Position(1, 0, 1), purchased("o-2", identity=BESIDE))]
    assert read.find(purchased("o-1").event_key, 0) is None
    assert history.identities(1, 0) == {purchased().identity, purchased(identity=BESIDE).identity}


def test_history_is_not_read_as_shorter_because_keys_are_away_or_lost(tmp_path: Path) -> None:
    partition = Partition()
    archived(tmp_path, partition, purchased("o-1"))

    with pytest.raises(HistoryDamaged, match="give-up"):
        list(History(tmp_path, Partition().sealing()).facts())
    with pytest.raises(HistoryDamaged, match="no keys were given"):
        list(History(tmp_path).facts())
    partition.keys.is_away = True
    with pytest.raises(BodyKeysUnavailable):
        list(History(tmp_path, partition.sealing()).facts())
