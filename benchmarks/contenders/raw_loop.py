"""Raw loop: confluent-kafka, the product's fold and commit, nothing around them.

What a careful engineer would write by hand for one process that owns all partitions.
"""

from collections import defaultdict

from confluent_kafka import Consumer, Message, TopicPartition

from benchmarks.contenders.redis_fold import Arrived, RedisFold
from benchmarks.contenders.task import Stopwatch, Task, task_told

BATCH = 4000
GATHER_S = 0.002
"""How long a batch may wait to grow when less than BATCH records are there."""


def consumer_of(task: Task) -> Consumer:
    """A consumer that commits nothing by itself and reads committed records."""
    return Consumer(
        {
            "bootstrap.servers": task.kafka,
            "group.id": task.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            # An answer when there is something, as for ours.
            "fetch.wait.max.ms": 100,
        }
    )


def main() -> None:
    """Fold until all records are done."""
    task = task_told()
    folding = RedisFold(task.store, topic=task.topic, partitions=task.partitions)
    consumer = consumer_of(task)
    starts = [0 if checkpoint is None else checkpoint.offset for checkpoint in folding.checkpoints]
    consumer.assign([TopicPartition(task.topic, partition, start) for partition, start in enumerate(starts)])
    stopwatch = Stopwatch(task)
    while True:
        if batch := by_partition(consumer.consume(BATCH, timeout=GATHER_S)):
            folding.handle(batch)
            stopwatch.done(folding.done)


def by_partition(messages: list[Message]) -> dict[int, list[Arrived]]:
    """The records of a batch by partition; RuntimeError for what is no record."""
    batch: dict[int, list[Arrived]] = defaultdict(list)
    for message in messages:
        if message.error():
            raise RuntimeError(str(message.error()))
        record = Arrived(message.offset(), message.timestamp()[1], message.key(), message.value())
        batch[message.partition()].append(record)
    return batch


if __name__ == "__main__":
    main()
