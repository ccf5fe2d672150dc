"""What the two plain Faust contenders share: an app as its documentation makes one, and one event at a time."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import faust

from benchmarks.contenders.task import SESSION_S, Stopwatch, Task

Agent = Callable[[AsyncIterable[bytes], Callable[[], None]], Awaitable[None]]


def run_agent(task: Task, agent: Agent) -> None:
    """Run one agent over the topic until all records are done; it calls what it is given after each of them."""
    app = faust.App(
        task.group,
        broker=f"kafka://{task.kafka}",
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=1,
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=task.partitions,
        value_serializer="raw",
        store="memory://",
        web_enabled=False,
    )
    topic = app.topic(task.topic, value_type=bytes)
    stopwatch = Stopwatch(task)
    done = 0

    def one_done() -> None:
        nonlocal done
        done += 1
        # Looked at every hundred, which costs as little as it can.
        if done % 100 == 0 or done >= task.records:
            stopwatch.done(done)

    async def take(stream: Any) -> None:
        await agent(stream, one_done)

    app.agent(topic, name="agent")(take)
    asyncio.run(_live(app))


async def _live(app: faust.App) -> None:
    app.loop = asyncio.get_running_loop()
    app.finalize()
    await app.start()
    await app.wait_until_stopped()
