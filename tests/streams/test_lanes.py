"""Frames of a partition one after the other, partitions side by side, and no more in memory than wanted."""

import asyncio
from collections import defaultdict

import pytest

from streams.frame import Frame, Handled, SeekTo
from streams.lanes import Lanes
from streams.ownership import PARTITION_FRAMES, TOPIC_FRAMES, Handed, Ownership
from tests.waiting import eventually


def handed(partition: int, number: int, *, turn: int = 1) -> Handed:
    frame = Frame(topic="facts", partition=partition, generation=1, start=number, end=number + 1, records=())
    return Handed(frame=frame, turn=turn)


class Hands:
    """A handler that holds every frame until it is let go, and remembers what it held at once."""

    def __init__(self) -> None:
        self.held: dict[int, list[int]] = defaultdict(list)
        self.most = 0
        self.done: list[tuple[int, int]] = []
        self.free = asyncio.Semaphore(0)

    async def take(self, handed: Handed) -> None:
        frame = handed.frame
        self.held[frame.partition].append(frame.start)
        assert len(self.held[frame.partition]) == 1
        self.most = max(self.most, self.under_way)
        try:
            await self.free.acquire()
            self.done.append((frame.partition, frame.start))
        finally:
            self.held[frame.partition].remove(frame.start)

    @property
    def under_way(self) -> int:
        return sum(map(len, self.held.values()))

    def let_go(self, count: int) -> None:
        for _ in range(count):
            self.free.release()


async def reached(hands: Hands, *, done: int) -> None:
    async def is_done() -> bool:
        return len(hands.done) == done

    await eventually(is_done, what=f"{done} frames")


async def test_frames_of_one_partition_keep_their_order_and_never_overlap() -> None:
    hands = Hands()
    lanes = Lanes(hands.take, at_once=4)
    for number in range(20):
        lanes.put(handed(0, number))
        lanes.put(handed(1, number))
    hands.let_go(40)

    await reached(hands, done=40)

    for partition in (0, 1):
        assert [number for at, number in hands.done if at == partition] == list(range(20))


async def test_a_partition_is_handled_while_another_waits_and_not_more_than_a_few_at_once() -> None:
    hands = Hands()
    lanes = Lanes(hands.take, at_once=3)
    for partition in range(8):
        lanes.put(handed(partition, 0))

    async def three_are_held() -> bool:
        return hands.under_way == 3

    await eventually(three_are_held, what="three under way")
    hands.let_go(8)
    await reached(hands, done=8)
    assert hands.most == 3


async def test_a_frame_of_a_later_assignment_waits_for_the_one_in_hand() -> None:
    hands = Hands()
    lanes = Lanes(hands.take, at_once=4)
    lanes.put(handed(0, 5, turn=1))
    lanes.put(handed(0, 3, turn=2))  # assigned anew, further back
    hands.let_go(2)

    await reached(hands, done=2)

    assert hands.done == [(0, 5), (0, 3)]


async def test_what_is_cut_ends_and_nothing_behind_it_begins() -> None:
    hands = Hands()
    lanes = Lanes(hands.take, at_once=4)
    for number in range(3):
        lanes.put(handed(0, number))

    async def one_is_held() -> bool:
        return hands.under_way == 1

    await eventually(one_is_held, what="a frame in hand")
    await lanes.cut()
    assert (hands.under_way, hands.done) == (0, [])


@pytest.fixture
def owned() -> Ownership:
    made = Ownership()
    made.assign({("facts", partition): 0 for partition in range(40)} | {("intake", 0): 0})
    return made


def fetch(ownership: Ownership, partition: int) -> Handed | None:
    """The next frame of a partition, if one is wanted."""
    claim = ownership.wanted().claims.get(("facts", partition))
    if claim is None:
        return None
    frame = handed(partition, claim.next_offset, turn=claim.turn)
    assert ownership.hand_over(("facts", partition), turn=claim.turn, end=frame.frame.end)
    return frame


def test_no_more_of_a_partition_is_fetched_than_one_in_hand_and_the_next(owned: Ownership) -> None:
    fetched = [fetch(owned, 0) for _ in range(PARTITION_FRAMES)]
    assert fetch(owned, 0) is None
    assert owned.wanted().is_held_back
    assert fetch(owned, 1) is not None

    first = fetched[0]
    assert first is not None
    owned.settle(first, Handled())
    assert fetch(owned, 0) is not None


def test_no_more_of_a_topic_is_fetched_than_memory_is_given_and_other_topics_go_on(owned: Ownership) -> None:
    fetched = [frame for partition in range(40) if (frame := fetch(owned, partition)) is not None]
    assert len(fetched) == TOPIC_FRAMES
    assert list(owned.wanted().claims) == [("intake", 0)]


def test_what_a_seek_made_void_does_not_count_as_under_way(owned: Ownership) -> None:
    first, second = fetch(owned, 0), fetch(owned, 0)
    assert first is not None
    assert second is not None
    owned.settle(first, SeekTo(0))
    assert not owned.begin(second, generation=1)
    assert fetch(owned, 0) is not None
    assert not owned.settle(second, Handled())
    assert owned.claims["facts", 0].under_way == 1
