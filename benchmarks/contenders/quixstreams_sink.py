"""quixstreams: a sink that folds and commits as the raw loop does.

The library's own BatchingSink keeps each record in an object of its own and flushes partition by partition; this one
keeps less and flushes all partitions together.
"""

import tempfile
from collections import defaultdict
from typing import Any

from quixstreams import Application
from quixstreams.sinks import BaseSink

from benchmarks.contenders.redis_fold import Arrived, RedisFold
from benchmarks.contenders.task import SESSION_S, Stopwatch, Task, task_told

COMMIT_EVERY = 16_000
"""Records between two of its checkpoints: 2,000 in each of 8 partitions, as in our frames; in a short run fewer."""


class FoldingSink(BaseSink):
    """Gathers records until the application's checkpoint, then folds and commits them."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._folding = RedisFold(task.store, topic=task.topic, partitions=task.partitions)
        self._stopwatch = Stopwatch(task)
        self._batch: dict[int, list[Arrived]] = defaultdict(list)

    def add(  # type: ignore[override]  # it is called by name
        self, *, value: bytes, key: bytes, timestamp: int, partition: int, offset: int, **_: Any
    ) -> None:
        """Keep one record."""
        self._batch[partition].append(Arrived(offset, timestamp, key, value))

    def flush(self) -> None:
        """Fold what was gathered."""
        batch, self._batch = self._batch, defaultdict(list)
        if batch:
            self._folding.handle(batch)
            self._stopwatch.done(self._folding.done)


def main() -> None:
    """Fold until all records are done."""
    task = task_told()
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=task.kafka,
            consumer_group=task.group,
            auto_offset_reset="earliest",
            consumer_extra_config={"session.timeout.ms": SESSION_S * 1000},
            auto_create_topics=False,
            use_changelog_topics=False,
            commit_every=min(COMMIT_EVERY, task.records // 10),
            commit_interval=0.5,
            state_dir=folder,
            loglevel=None,
        )
        topic = app.topic(task.topic, value_deserializer="bytes", key_deserializer="bytes")
        app.dataframe(topic).sink(FoldingSink(task))
        app.run()


if __name__ == "__main__":
    main()
