"""Holds in Redis or Valkey: one hash per identity, and per partition one sorted set of what waits."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from consent.holds import Hold, HoldName
from consent.purposes import PURPOSES
from consent.redis_faults import Client, faults
from events.keys import outbox_key, partition_key
from events.partitioning import partition_of
from events.position import Stream

FAMILY: Final = "hold"
_RELEASE: Final = Path(__file__).with_name("release.lua").read_text(encoding="utf-8")


class _Stored(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    purpose: str
    fact: bytes
    made_at: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


class RedisHolds:
    """See `consent.holds.Holds`.

    The person read adds these reads to its own pipeline with `add_reads` and hands the replies to `parse`.
    """

    def __init__(self, client: Client, *, partitions: int) -> None:
        self._client = client
        self._partitions = partitions

    async def place(self, holds: Sequence[Hold]) -> None:
        """See `Holds`."""
        by_partition: dict[int, list[Hold]] = defaultdict(list)
        for hold in holds:
            by_partition[self._partition(hold.identity)].append(hold)
        for partition, group in sorted(by_partition.items()):
            with faults():
                async with self._client.pipeline(transaction=True) as pipeline:
                    for hold in group:
                        stored = _encoder.encode(_Stored(hold.purpose, hold.fact, hold.made_at))
                        pipeline.hsetnx(self._key(hold.identity), _field(hold.name), stored)
                        pipeline.zadd(_waiting_key(partition), {_member(hold.name): hold.made_at}, nx=True)
                    await pipeline.execute()

    async def of(self, identities: Collection[str]) -> dict[str, frozenset[str]]:
        """See `Holds`."""
        if not identities:
            return {}
        with faults():
            async with self._client.pipeline(transaction=False) as pipeline:
                self.add_reads(pipeline, identities)
                replies = await pipeline.execute()
        return self.parse(identities, replies)

    def add_reads(self, pipeline: Any, identities: Collection[str]) -> None:
        """Ask for the holds of the identities: one command each, in their order."""
        for identity in identities:
            pipeline.hvals(self._key(identity))

    def parse(self, identities: Collection[str], replies: Sequence[Sequence[bytes]]) -> dict[str, frozenset[str]]:
        """The purposes held closed, from the replies to `add_reads` for the same identities in the same order."""
        return {
            identity: frozenset().union(*map(_purposes, values))
            for identity, values in zip(identities, replies, strict=True)
        }

    async def release(self, name: HoldName) -> None:
        """See `Holds`."""
        with faults():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.hdel(self._key(name.identity), _field(name))
                pipeline.zrem(_waiting_key(self._partition(name.identity)), _member(name))
                await pipeline.execute()

    async def settle(self, stream: Stream, released: Mapping[str, HoldName]) -> None:
        """See `streams.settling.Settles`; all the holds lie in the partition of the stream."""
        keys = [outbox_key(stream), _waiting_key(stream.partition)]
        keys += [self._key(name.identity) for name in released.values()]
        said = [word for entry, name in released.items() for word in (entry, _field(name), _member(name))]
        with faults():
            await self._client.eval(_RELEASE, len(keys), *keys, *said)

    async def waiting(self, partition: int) -> list[Hold]:
        """See `Holds`. What cannot be read stays and goes on closing every purpose."""
        with faults():
            listed: list[Any] = await self._client.zrange(_waiting_key(partition), 0, -1)
            members = [member.decode().split(" ", 1) for member in listed]
            if not members:
                return []
            async with self._client.pipeline(transaction=False) as pipeline:
                for identity, field in members:
                    pipeline.hget(self._key(identity), field)
                values = await pipeline.execute()
        found = (_hold(identity, field, value) for (identity, field), value in zip(members, values, strict=True))
        return [hold for hold in found if hold is not None]

    async def waiting_total(self) -> int:
        """How many holds wait in all partitions, also those that cannot be read."""
        with faults():
            async with self._client.pipeline(transaction=False) as pipeline:
                for partition in range(self._partitions):
                    pipeline.zcount(_waiting_key(partition), "-inf", "+inf")
                return sum(await pipeline.execute())

    def _partition(self, identity: str) -> int:
        return partition_of(identity.encode(), self._partitions)

    def _key(self, identity: str) -> str:
        return partition_key(FAMILY, self._partition(identity), identity)


def _waiting_key(partition: int) -> str:
    return partition_key(FAMILY, partition)


def _field(name: HoldName) -> str:
    return f"{name.event_key.hex()} {name.purpose}"


def _member(name: HoldName) -> str:
    return f"{name.identity} {_field(name)}"


def _purposes(value: bytes) -> frozenset[str]:
    try:
        return frozenset({_decoder.decode(value).purpose})
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return frozenset(PURPOSES)


def _hold(identity: str, field: str, value: bytes | None) -> Hold | None:
    if value is None:
        return None
    try:
        stored = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Hold(
        identity=identity,
        purpose=stored.purpose,
        event_key=bytes.fromhex(field.partition(" ")[0]),
        fact=stored.fact,
        made_at=stored.made_at,
    )
