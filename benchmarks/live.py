"""Records produced at a fixed rate, and the moment at which each of them can be read from the store.

The loop is open: a record is due at its time whether or not those before it were seen, and its latency counts from
that time, so a contender that falls behind is charged for all who wait. A record can be read once the checkpoint of its
partition has passed it, since facets and checkpoint are written at once; so looking at one key per partition is enough.
"""

import threading
import time
from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np

from benchmarks.preload import NotProduced, producer_of
from benchmarks.redis_probe import StoreProbe
from benchmarks.workload import Message

LINGER_MS: Final = 1.0
LOOK_S: Final = 0.001
_TICK_S: Final = 0.001
_FLUSH_S: Final = 30.0


class Pacer:
    """Produces records at a rate from a thread of its own, until it is stopped or there are no more."""

    def __init__(self, kafka: str, topic: str, messages: Sequence[Message], *, rate: float) -> None:
        self._kafka, self._topic, self._messages, self._rate = kafka, topic, messages, rate
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failed: list[str] = []
        self._due_s: list[float] = []
        self._places: list[tuple[int, int, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Produce nothing more and wait until what was produced is acknowledged."""
        self._stopping.set()
        self.finish()

    def finish(self) -> None:
        """Wait until everything is produced; NotProduced when the broker did not take it."""
        self._thread.join()
        if self._failed:
            raise NotProduced(self._failed[0])

    @property
    def produced(self) -> int:
        """Records handed to the client so far; acknowledged once it is stopped."""
        return len(self._due_s)

    @property
    def places(self) -> list[tuple[int, int, float]]:
        """Partition, offset and due time (monotonic s) of each record that is acknowledged."""
        return self._places

    def _run(self) -> None:
        producer = producer_of(self._kafka, linger_ms=LINGER_MS)
        begin = time.monotonic()
        for at, message in enumerate(self._messages):
            due_s = begin + at / self._rate
            while (early_s := due_s - time.monotonic()) > 0 and not self._stopping.is_set():
                producer.poll(0)
                # Not less than a tick: what is due within it goes with it, and its wait counts.
                time.sleep(max(early_s, _TICK_S))
            if self._stopping.is_set():
                break
            self._due_s.append(due_s)
            producer.produce(
                self._topic,
                key=message.key,
                value=message.fact,
                partition=message.partition,
                on_delivery=self._told(due_s),
            )
        if producer.flush(_FLUSH_S):
            self._failed.append("not everything was acknowledged in time")

    def _told(self, due_s: float) -> Any:
        def told(error: Any, record: Any) -> None:
            if error is not None:
                self._failed.append(str(error))
            else:
                self._places.append((record.partition(), record.offset(), due_s))

        return told


class Lookout:
    """Looks at the checkpoints of a topic again and again, and remembers when each of them moved."""

    def __init__(self, store: str, topic: str, *, partitions: int) -> None:
        self._probe = StoreProbe(store)
        self._topic, self._partitions = topic, partitions
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._moves: list[list[tuple[int, float]]] = [[] for _ in range(partitions)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._probe.close()

    def latencies_s(self, places: Sequence[tuple[int, int, float]]) -> "np.ndarray[Any, Any]":
        """From due to readable for each record that was seen; those never seen are infinite."""
        waits = np.full(len(places), np.inf)
        for partition, moves in enumerate(list(self._moves)):
            reached = np.array([offset for offset, _ in moves])
            seen_s = np.array([at_s for _, at_s in moves] + [np.inf])
            mine = [at for at, place in enumerate(places) if place[0] == partition]
            offsets = np.array([places[at][1] for at in mine])
            due_s = np.array([places[at][2] for at in mine])
            # The first move to beyond the record.
            waits[mine] = seen_s[np.searchsorted(reached, offsets, side="right")] - due_s
        return waits

    def _run(self) -> None:
        stood = [-1] * self._partitions
        is_last = False
        while not is_last:
            # A look after the stop: what stood then was seen by whoever stopped us.
            is_last = self._stopping.is_set()
            offsets = self._probe.offsets(self._topic, self._partitions)
            at_s = time.monotonic()
            for partition, offset in enumerate(offsets):
                if offset > stood[partition]:
                    self._moves[partition].append((offset, at_s))
                    stood[partition] = offset
            time.sleep(LOOK_S)
