"""When a worker may be stopped although the log ends with it: after two looks at which nothing is on its way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from commands.up_drain import HEARD_MS, Drained
from streams.lag import PartitionLag

START = 1_000_000
TOPICS = ("intake", "facts")


@dataclass
class Board:
    """What a worker said last, and what waits in its outboxes."""

    now: int = START
    measured_at: int = START
    lags: dict[tuple[str, int], int] = field(default_factory=lambda: {(t, p): 0 for t in TOPICS for p in range(2)})
    checkpoint: int = 10
    stopped: Mapping[tuple[str, int], str] = field(default_factory=dict)
    waiting: int = 0

    def read(self) -> list[PartitionLag]:
        return [
            PartitionLag(
                topic=topic,
                partition=partition,
                checkpoint=self.checkpoint,
                lag=lag,
                measured_at_ms=self.measured_at,
                stopped=self.stopped.get((topic, partition)),
            )
            for (topic, partition), lag in self.lags.items()
        ]

    def drained(self) -> Drained:
        return Drained(
            lags=self.read, waiting=lambda: self.waiting, topics=TOPICS, partitions=2, clock=lambda: self.now
        )

    def passes(self) -> None:
        """The worker measures again, long enough after the last look to have heard of everything before it."""
        self.now += HEARD_MS + 1
        self.measured_at = self.now


def test_two_looks_at_which_nothing_is_on_its_way_are_enough() -> None:
    board = Board()
    drained = board.drained()

    assert not drained()
    board.passes()
    assert not drained()
    board.passes()
    assert drained()


def test_what_was_measured_before_the_end_was_asked_for_counts_for_nothing() -> None:
    board = Board()
    drained = board.drained()
    drained()

    for _ in range(10):
        board.now += HEARD_MS
        assert not drained()


def test_a_measurement_too_soon_after_the_first_look_may_not_have_heard() -> None:
    board = Board()
    drained = board.drained()
    drained()
    board.passes()
    drained()
    board.now += HEARD_MS // 2
    board.measured_at = board.now

    assert not drained()


def test_a_record_behind_is_waited_for() -> None:
    board = Board()
    board.lags["facts", 1] = 3
    drained = board.drained()
    for _ in range(5):
        assert not drained()
        board.passes()


def test_what_waits_in_an_outbox_is_waited_for() -> None:
    board = Board(waiting=1)
    drained = board.drained()
    for _ in range(5):
        assert not drained()
        board.passes()
    board.waiting = 0
    assert not drained()
    board.passes()
    assert drained()


def test_something_that_moved_between_the_looks_starts_them_again() -> None:
    board = Board()
    drained = board.drained()
    drained()
    for _ in range(5):
        board.passes()
        board.checkpoint += 1
        assert not drained()


def test_a_partition_nobody_tells_of_is_not_drained() -> None:
    board = Board()
    del board.lags["facts", 1]
    drained = board.drained()
    for _ in range(5):
        assert not drained()
        board.passes()


def test_a_stopped_partition_is_not_waited_for() -> None:
    board = Board(stopped={("facts", 1): "another log"})
    board.lags["facts", 1] = 7
    drained = board.drained()
    drained()
    board.passes()
    drained()
    board.passes()

    assert drained()
