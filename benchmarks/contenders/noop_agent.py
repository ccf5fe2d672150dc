"""The Faust agent that does nothing: one event at a time, as bytes. What Faust itself costs."""

from collections.abc import AsyncIterable, Callable

from benchmarks.contenders.faust_agents import run_agent
from benchmarks.contenders.task import task_told


async def _nothing(stream: AsyncIterable[bytes], one_done: Callable[[], None]) -> None:
    async for _ in stream:
        one_done()


def main() -> None:
    """Read until all records are done."""
    run_agent(task_told(), _nothing)


if __name__ == "__main__":
    main()
