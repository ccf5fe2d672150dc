"""What the store says about itself and about what stands in it."""

from collections.abc import Iterator, Mapping
from typing import Any

import redis

from benchmarks.model import Expected, Tally, tally_of
from events.keys import checkpoint_key, outbox_key
from events.position import Stream, decode_checkpoint
from profiles.codec import decode_facet

APP = "profiles"


class StoreProbe:
    """One connection to a store."""

    def __init__(self, url: str) -> None:
        self._client: Any = redis.Redis.from_url(url, protocol=2)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def cpu_s(self) -> float:
        """CPU seconds of the server so far, its background threads included."""
        info = self._info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def used_memory(self) -> int:
        """Bytes allocated by the server."""
        return int(self._info("memory")["used_memory"])

    def version(self) -> str:
        """Name and version of the server."""
        info = self._info("server")
        return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"

    def offsets(self, topic: str, partitions: int) -> list[int]:
        """How far each partition of a topic is folded."""
        names = [checkpoint_key(Stream(APP, topic, partition)) for partition in range(partitions)]
        return [decode_checkpoint(raw).offset if raw else 0 for raw in self._client.mget(names)]

    def facets(self, topic: str, partitions: int) -> Expected:
        """What stands in facets, and the records set aside: in the outboxes and among the dead letters."""
        people: dict[str, Tally] = {}
        for name, raw in self._values("rapport:{*}:facet:*"):
            people[name.rsplit(":facet:", 1)[1]] = tally_of(decode_facet(raw))
        return Expected(people, self.waiting(topic, partitions) + self.dead_letters())

    def waiting(self, topic: str, partitions: int) -> int:
        """Entries in the outboxes."""
        names = [outbox_key(Stream(APP, topic, partition)) for partition in range(partitions)]
        return sum(int(self._client.xlen(name)) for name in names)

    def dead_letters(self) -> int:
        """Letters the relay has laid down; the hash has one field more, the weight."""
        names = list(self._client.scan_iter("rapport:dead:*"))
        return sum(int(self._client.hlen(name)) - 1 for name in names)

    def plain_counters(self) -> Expected:
        """What a loop without exactness keeps: a hash of counters and records per person, dead letters in a stream."""
        people: dict[str, Tally] = {}
        for names in self._names("profile:*"):
            with self._client.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hgetall(name)
                for name, fields in zip(names, pipeline.execute(), strict=True):
                    people[name.decode().removeprefix("profile:")] = _counters(fields)
        return Expected(people, int(self._client.xlen("dead")))

    def _values(self, pattern: str) -> Iterator[tuple[str, bytes]]:
        for names in self._names(pattern):
            for name, raw in zip(names, self._client.mget(names), strict=True):
                if raw is not None:
                    yield name.decode(), raw

    def _names(self, pattern: str) -> Iterator[list[bytes]]:
        names = list(self._client.scan_iter(pattern, count=1000))
        return (names[at : at + 500] for at in range(0, len(names), 500))

    def _info(self, section: str) -> Mapping[str, Any]:
        return dict(self._client.info(section))


def _counters(fields: Mapping[bytes, bytes]) -> Tally:
    return {name[2:].decode(): int(value) for name, value in fields.items() if name.startswith(b"n:")}
