"""Keeps the intakes full: a thread that sends the load in batches, again until all of a batch is acknowledged."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice

from commands.settings import Settings
from events.partitioning import partition_of
from streams.producer import DeliveryFailed, IntakeProducer
from tests.chaos.commits import Partition
from tests.chaos.load import Sent

BATCH = 1_000


class Sender(threading.Thread):
    """Sends while `wants_more` says so. `acked` counts the records acknowledged, by partition of the intakes.

    A batch that failed is sent again whole: what it had already written is then on the topic twice, as with any
    sender that retries.
    """

    def __init__(
        self, settings: Settings, load: Iterable[Sent], *, wants_more: Callable[[Counter[Partition]], bool]
    ) -> None:
        super().__init__(name="sender", daemon=True)
        self.acked: Counter[Partition] = Counter()
        self.failures = 0
        self.exhausted = threading.Event()
        self.broken: BaseException | None = None
        self._settings = settings
        self._source: Iterator[Sent] = iter(load)
        self._in_hand: list[Sent] = []
        self._wants_more = wants_more
        self._ending = threading.Event()

    def run(self) -> None:
        try:
            while not self._ending.is_set() or self._in_hand:
                try:
                    self._send_until_it_fails()
                except DeliveryFailed:
                    self.failures += 1
        except BaseException as error:
            self.broken = error
            raise

    def end(self) -> None:
        """Send what is in hand and stop."""
        self._ending.set()
        self.join(timeout=180)
        assert not self.is_alive(), "the last batch was never acknowledged"

    def _send_until_it_fails(self) -> None:
        with ExitStack() as opened:
            producers: dict[str | None, IntakeProducer] = {}
            while self._in_hand or not self._ending.is_set():
                if not self._in_hand and self._wants_more(self.acked):
                    self._in_hand = list(islice(self._source, BATCH))
                    if not self._in_hand:
                        self.exhausted.set()
                for place, sent in enumerate(self._in_hand):
                    if sent.source not in producers:
                        producers[sent.source] = opened.enter_context(self._producer(sent.source))
                    producers[sent.source].send(place=place, key=sent.key, value=sent.value)
                for producer in producers.values():
                    producer.flush()
                self.acked.update(map(self._place, self._in_hand))
                self._in_hand = []
                self._ending.wait(0.05)

    def _producer(self, source: str | None) -> IntakeProducer:
        return IntakeProducer(brokers=self._settings.brokers, topic=self._settings.intake_topic(source))

    def _place(self, sent: Sent) -> Partition:
        return Partition(self._settings.intake_topic(sent.source), partition_of(sent.key, self._settings.partitions))
