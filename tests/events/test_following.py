"""Following history: each reader at its own place, nothing left out, nothing that was not asked for."""

from pathlib import Path
from typing import Literal

import pytest

from events import following
from events.fact import Fact, encode_fact
from events.following import Stretch, follow
from events.history import History
from events.memory_log import MemoryRecord
from tests.builders import NOW, consent, fact, money

ACTS = frozenset({"consent.given", "consent.withdrawn"})


class Notes:
    """A follower that keeps event keys and its places in memory."""

    def __init__(self) -> None:
        self.places: dict[tuple[int, int], int] = {}
        self.stretches: list[Stretch] = []

    def next_offset(self, epoch: int, partition: int) -> int:
        return self.places.get((epoch, partition), 0)

    def take(self, stretch: Stretch) -> None:
        self.stretches.append(stretch)
        self.places[stretch.epoch, stretch.partition] = stretch.end

    def keys(self) -> list[bytes]:
        return [each.event_key for stretch in self.stretches for _, each in stretch.facts]


def act(number: int, said: Literal["given", "withdrawn"] = "given") -> Fact:
    return consent(said, "profile.build", event_id=f"act-{number}")


def order(number: int) -> Fact:
    return fact("transaction.purchased", order_id=f"o-{number}", total=money(1))


def archive(history: History, *facts: Fact, partition: int = 0, epoch: int = 1, start: int = 0) -> None:
    records = [MemoryRecord(start + n, NOW, b"key", encode_fact(each)) for n, each in enumerate(facts)]
    history.append(epoch, partition, start, start + len(facts), records)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_a_reader_gets_the_facts_it_asked_for_and_moves_past_the_others(history: History) -> None:
    archive(history, act(0), order(1), act(2, "withdrawn"), order(3))
    notes = Notes()

    assert follow(history, notes, types=ACTS) == 4
    assert notes.keys() == [act(0).event_key, act(2, "withdrawn").event_key]
    assert [position.offset for position, _ in notes.stretches[0].facts] == [0, 2]
    assert notes.places == {(1, 0): 4}
    assert follow(history, notes, types=ACTS) == 0


def test_it_goes_on_where_it_was(history: History) -> None:
    notes = Notes()
    archive(history, act(0), act(1))
    follow(history, notes, types=ACTS)
    archive(history, act(2), start=2)
    follow(history, notes, types=ACTS)

    assert notes.keys() == [act(n).event_key for n in range(3)]


def test_it_does_not_go_past_a_hole(history: History) -> None:
    notes = Notes()
    archive(history, act(0))
    archive(history, act(2), start=2)

    assert follow(history, notes, types=ACTS) == 1
    archive(history, act(1), start=1)
    assert follow(history, notes, types=ACTS) == 2
    assert notes.keys() == [act(n).event_key for n in range(3)]


def test_every_partition_and_epoch_is_followed(history: History) -> None:
    notes = Notes()
    for number, (epoch, partition) in enumerate([(1, 0), (1, 3), (2, 0)]):
        archive(history, act(number), epoch=epoch, partition=partition)

    assert follow(history, notes, types=ACTS) == 3
    assert notes.places == {(1, 0): 1, (1, 3): 1, (2, 0): 1}


def test_a_long_way_is_walked_in_stretches(history: History) -> None:
    notes = Notes()
    history.append(1, 0, 0, following.STRETCH + 1, [MemoryRecord(following.STRETCH, NOW, b"key", encode_fact(act(1)))])

    assert follow(history, notes, types=ACTS) == following.STRETCH + 1
    assert [(each.start, each.end, len(each.facts)) for each in notes.stretches] == [
        (0, following.STRETCH, 0),
        (following.STRETCH, following.STRETCH + 1, 1),
    ]
