"""Lean loop: confluent-kafka, orjson, and plain commands in one pipeline per batch.

It counts a repeat again, and after a crash the last batch twice or in part: the fast thing that most would write first.
"""

from collections.abc import Callable
from typing import Any

import orjson
import redis
from confluent_kafka import TopicPartition

from benchmarks.contenders.plain_profile import Command, Fact, commands_of
from benchmarks.contenders.raw_loop import GATHER_S, consumer_of
from benchmarks.contenders.task import Stopwatch, task_told

BATCH = 1000


def main(commands: Callable[[Fact], list[Command]] = commands_of) -> None:
    """Count until all records are done."""
    task = task_told()
    client: Any = redis.Redis.from_url(task.store, protocol=2)
    consumer = consumer_of(task)
    consumer.assign([TopicPartition(task.topic, partition, 0) for partition in range(task.partitions)])
    stopwatch = Stopwatch(task)
    done = 0
    while True:
        messages = consumer.consume(BATCH, timeout=GATHER_S)
        if not messages:
            continue
        with client.pipeline(transaction=False) as pipeline:
            for message in messages:
                try:
                    fact = orjson.loads(message.value())
                except orjson.JSONDecodeError:
                    pipeline.xadd("dead", {"value": message.value()})
                    continue
                for command in commands(fact):
                    pipeline.execute_command(*command)
            pipeline.execute()
        consumer.commit(asynchronous=True)
        done += len(messages)
        stopwatch.done(done)


if __name__ == "__main__":
    main()
