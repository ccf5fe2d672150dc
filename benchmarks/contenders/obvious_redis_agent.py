"""The obvious Faust agent: for each event the commands of the lean loop in one awaited pipeline."""

from collections.abc import AsyncIterable, Callable

import orjson
from redis.asyncio import Redis

from benchmarks.contenders.faust_agents import run_agent
from benchmarks.contenders.plain_profile import commands_of
from benchmarks.contenders.task import task_told


def main() -> None:
    """Count until all records are done."""
    task = task_told()
    client = Redis.from_url(task.store, protocol=2)

    async def profile(stream: AsyncIterable[bytes], one_done: Callable[[], None]) -> None:
        async for raw in stream:
            try:
                fact = orjson.loads(raw)
            except orjson.JSONDecodeError:
                await client.xadd("dead", {"value": raw})
            else:
                async with client.pipeline(transaction=False) as pipeline:
                    for command in commands_of(fact):
                        pipeline.execute_command(*command)
                    await pipeline.execute()
            one_done()

    run_agent(task, profile)


if __name__ == "__main__":
    main()
