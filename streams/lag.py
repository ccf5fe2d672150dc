"""How far behind the log a worker is: last stable offset minus checkpoint, and how sure we are of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from streams.ownership import Claim, Ownership


class PartitionLag(msgspec.Struct, frozen=True, kw_only=True):
    """One partition's lag in offsets; None while the log's end is not known. `measured_at_ms` is epoch milliseconds."""

    topic: str
    partition: int
    checkpoint: int
    lag: int | None
    measured_at_ms: int
    stopped: str | None = None


Publish = Callable[[Sequence[PartitionLag]], Awaitable[None]]


def measure(claims: Mapping[tuple[str, int], Claim], *, now_ms: int, fresh_for_ms: int = 10_000) -> list[PartitionLag]:
    """The lag of every owned partition; an end heard of longer ago than `fresh_for_ms` counts as unknown."""
    return [
        PartitionLag(
            topic=topic,
            partition=partition,
            checkpoint=claim.checkpoint,
            lag=_behind(claim, now_ms=now_ms, fresh_for_ms=fresh_for_ms),
            measured_at_ms=now_ms,
            stopped=claim.stopped,
        )
        for (topic, partition), claim in sorted(claims.items())
    ]


def _behind(claim: Claim, *, now_ms: int, fresh_for_ms: int) -> int | None:
    end, heard_ms = claim.last_stable_offset, claim.ends_at_ms
    if end is None or end < 0 or heard_ms is None or now_ms - heard_ms > fresh_for_ms:
        return None
    return max(0, end - claim.checkpoint)


def too_late(
    lags: Iterable[PartitionLag], *, partitions: int, limit: int, now_ms: int, fresh_for_ms: int = 10_000
) -> str | None:
    """Why one topic's reading is too late to rely on, or None. Unknown, stale, missing and stopped are all too late."""
    seen = 0
    for lag in lags:
        seen += 1
        if lag.stopped is not None:
            return f"partition {lag.partition} is stopped: {lag.stopped}"
        if now_ms - lag.measured_at_ms > fresh_for_ms:
            return f"the lag of partition {lag.partition} was last measured {now_ms - lag.measured_at_ms} ms ago"
        if lag.lag is None:
            return f"the lag of partition {lag.partition} is unknown"
        if lag.lag > limit:
            return f"partition {lag.partition} is {lag.lag} records behind"
    return f"the lag of {partitions - seen} partitions is unknown" if seen < partitions else None


async def publish_lag(ownership: Ownership, *, publish: Publish, every_s: float = 1.0) -> None:
    """Publish the lag of all owned partitions, again and again; a failing publisher ends the worker."""
    while True:
        await publish(measure(ownership.claims, now_ms=time.time_ns() // 1_000_000))
        await asyncio.sleep(every_s)
