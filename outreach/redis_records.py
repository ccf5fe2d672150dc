"""Decisions in Redis or Valkey: one key each, two sorted sets per identity, all in the slot of its partition."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from events.keys import FAMILIES, partition_key
from events.partitioning import partition_of
from outreach.decision import Decision, partition_in
from outreach.records import OutreachUnavailable, Room, Written, latest_first

FAMILY: Final = "outreach"
CAP: Final = "cap"
_OF: Final = "of"
_SCRIPT: Final = Path(__file__).with_name("record.lua").read_text(encoding="utf-8")

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Decision)

Client = Redis | RedisCluster


@contextmanager
def faults() -> Iterator[None]:
    """OutreachUnavailable for whatever goes wrong between us and the server, or with what it kept."""
    try:
        yield
    except (RedisError, OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OutreachUnavailable(f"the store did not serve outreach: {type(error).__name__}") from error


class RedisRecords:
    """See `outreach.records.OutreachRecords`."""

    def __init__(self, client: Client, *, partitions: int) -> None:
        self._client = client
        self._partitions = partitions

    async def find(self, outreach_id: str) -> Decision | None:
        """See `OutreachRecords`."""
        partition = partition_in(outreach_id, partitions=self._partitions)
        if partition is None:
            return None
        with faults():
            found: Any = await self._client.get(partition_key(FAMILY, partition, outreach_id))
            return None if found is None else _decoder.decode(found)

    async def decisions_of(self, identities: Collection[str]) -> list[Decision]:
        """See `OutreachRecords`."""
        partitions = [self._partition(identity) for identity in identities]
        if not partitions:
            return []
        with faults():
            async with self._client.pipeline(transaction=False) as pipeline:
                for identity, partition in zip(identities, partitions, strict=True):
                    pipeline.zrange(partition_key(FAMILY, partition, _OF, identity), 0, -1)
                listed = await pipeline.execute()
            keys = [
                partition_key(FAMILY, partition, name.decode())
                for partition, names in zip(partitions, listed, strict=True)
                for name in names
            ]
            if not keys:
                return []
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.get(key)
                values = await pipeline.execute()
            return latest_first(_decoder.decode(value) for value in values if value is not None)

    async def write(self, after: Decision, *, before: Decision | None, room: Room | None = None) -> Written:
        """See `OutreachRecords`."""
        partition = self._partition(after.identity)
        keys = (
            partition_key(FAMILY, partition, after.id),
            partition_key(FAMILY, partition, _OF, after.identity),
            partition_key(CAP, partition, after.identity),
        )
        arguments = (
            after.id,
            _encoder.encode(after),
            b"" if before is None else _encoder.encode(before),
            after.at,
            int(after.takes_of_cap),
            "" if room is None else room.messages,
            0 if room is None else room.since,
            FAMILIES[FAMILY].lifetime_s or 0,
            FAMILIES[CAP].lifetime_s or 0,
        )
        with faults():
            answer: Any = await self._client.eval(_SCRIPT, len(keys), *keys, *arguments)
        written: Written = answer.decode()
        return written

    def _partition(self, identity: str) -> int:
        return partition_of(identity.encode(), self._partitions)
