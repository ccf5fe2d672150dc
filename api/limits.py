"""How much one process takes on: so many requests and events a second per key, so many bytes of bodies at a time.

A key has a bucket of tokens that fills at its rate: a request takes one, and so does each event after the first. A
batch may take more than there is, which the next ones wait for. Each API process counts for itself.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from api.auth import ApiKey
from api.refusal import Refusal

RATE: Final = 10_000
"""Tokens a second of a key whose entry says nothing."""
BURST_S: Final = 2
"""A bucket holds what fills in so many seconds."""
VISITOR_RATE: Final = 5
"""Tokens a second of somebody who comes by a link of their own."""
VISITORS_MAX: Final = 10_000
"""Visitors that are counted at a time; those who did not come for a while are forgotten."""
BODIES_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of bodies that may be under way at a time."""


class Bucket(NamedTuple):
    """The tokens of a key, and when they were counted (s). Fewer than none: somebody took more than there was."""

    tokens: float
    at: float


def filled(bucket: Bucket | None, *, now: float, rate: int) -> Bucket:
    """The bucket as it is now (s, never going back); a new one is full."""
    most = float(rate * BURST_S)
    if bucket is None:
        return Bucket(most, now)
    return Bucket(min(most, bucket.tokens + max(0.0, now - bucket.at) * rate), now)


def wait_s(bucket: Bucket, *, rate: int) -> int:
    """Whole seconds until there is a token; 0 where there is one."""
    return 0 if bucket.tokens >= 1 else math.ceil((1 - bucket.tokens) / rate)


@dataclass(slots=True)
class Limits:
    """The buckets of all keys that were seen, and the bodies that are being read. `clock` gives s, never going back."""

    clock: Callable[[], float] = time.monotonic
    bodies_bytes_max: int = BODIES_BYTES_MAX
    _buckets: dict[str, Bucket] = field(default_factory=dict, init=False)
    _visitors: dict[str, Bucket] = field(default_factory=dict, init=False)
    _held: int = field(default=0, init=False)

    def let_in(self, key: ApiKey | None) -> None:
        """Take a token for a request; Refusal says when there will be one. Without a key there is nothing to count."""
        if key is None:
            return
        self._take(self._buckets, key.id, rate=_rate(key))

    def let_in_visitor(self, name: str) -> None:
        """The same for whoever comes by a link, by whose link it is."""
        if len(self._visitors) >= VISITORS_MAX:
            now = self.clock()
            self._visitors = {
                each: bucket
                for each, bucket in self._visitors.items()
                if filled(bucket, now=now, rate=VISITOR_RATE).tokens < VISITOR_RATE * BURST_S
            }
        self._take(self._visitors, name, rate=VISITOR_RATE)

    def charge(self, key: ApiKey, tokens: int) -> None:
        """Take so many tokens more for what a request turned out to hold."""
        bucket = filled(self._buckets.get(key.id), now=self.clock(), rate=_rate(key))
        self._buckets[key.id] = bucket._replace(tokens=bucket.tokens - tokens)

    def _take(self, buckets: dict[str, Bucket], name: str, *, rate: int) -> None:
        bucket = filled(buckets.get(name), now=self.clock(), rate=rate)
        if wait := wait_s(bucket, rate=rate):
            raise Refusal("too-many", retry_after=wait)
        buckets[name] = bucket._replace(tokens=bucket.tokens - 1)

    @contextmanager
    def body(self) -> Iterator[Callable[[int], None]]:
        """Counts a request's body until it is answered; called with the bytes of each chunk. Refusal: too many."""
        mine = 0

        def add(count: int) -> None:
            nonlocal mine
            if self._held + count > self.bodies_bytes_max:
                raise Refusal("busy")
            mine += count
            self._held += count

        try:
            yield add
        finally:
            self._held -= mine


def _rate(key: ApiKey) -> int:
    return key.rate or RATE
