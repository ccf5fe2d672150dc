"""How far behind the log a worker is: last stable offset minus checkpoint, and how sure we are of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from streams.ownership import Claim, Ownership


class PartitionLag(msgspec.Struct, frozen=True, kw_only=True):
    """One partition's lag in offsets; None while the log's end is not known. `measured_at_ms` is epoch milliseconds.

    `stopped` says why nothing of it is read, `waits` what is away without which nothing of it gets done. `skipped`
    counts the offsets passed since it was assigned that hold no record: compacted, or a transaction's.
    """

    topic: str
    partition: int
    checkpoint: int
    lag: int | None
    measured_at_ms: int
    stopped: str | None = None
    waits: str | None = None
    skipped: int = 0


Publish = Callable[[Sequence[PartitionLag]], Awaitable[None]]


def monotonic_ms() -> int:
    """The clock by which ages are told; no correction of the calendar's moves it."""
    return time.monotonic_ns() // 1_000_000


def measure(
    claims: Mapping[tuple[str, int], Claim], *, now_ms: int, clock_ms: int, fresh_for_ms: int = 10_000
) -> list[PartitionLag]:
    """The lag of every owned partition; an end heard of longer ago than `fresh_for_ms` counts as unknown.

    `now_ms` is epoch milliseconds, for the others who read it; ages are judged by `clock_ms`, see `monotonic_ms`.
    """
    return [
        PartitionLag(
            topic=topic,
            partition=partition,
            checkpoint=claim.checkpoint,
            lag=_behind(claim, clock_ms=clock_ms, fresh_for_ms=fresh_for_ms),
            measured_at_ms=now_ms,
            stopped=claim.stopped or claim.on_trial,
            waits=claim.waits,
            skipped=claim.skipped,
        )
        for (topic, partition), claim in sorted(claims.items())
    ]


def _behind(claim: Claim, *, clock_ms: int, fresh_for_ms: int) -> int | None:
    end, heard_ms = claim.last_stable_offset, claim.ends_at_ms
    if end is None or end < 0 or heard_ms is None or clock_ms - heard_ms > fresh_for_ms:
        return None
    return max(0, end - claim.checkpoint)


def too_late(
    lags: Iterable[PartitionLag], *, partitions: int, limit: int, now_ms: int, fresh_for_ms: int = 10_000
) -> str | None:
    """Why one topic's reading is too late to rely on, or None: unknown, stale, missing, stopped and waiting count."""
    seen = 0
    for lag in lags:
        seen += 1
        if lag.stopped is not None:
            return f"partition {lag.partition} is stopped: {lag.stopped}"
        if lag.waits is not None:
            return f"partition {lag.partition} waits: {lag.waits}"
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
        await publish(measure(ownership.claims, now_ms=time.time_ns() // 1_000_000, clock_ms=monotonic_ms()))
        await asyncio.sleep(every_s)
