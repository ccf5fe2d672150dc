"""Act records in Redis or Valkey: one key per act, and per partition one sorted set of the unfinished."""

import logging
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from consent.act_records import ActRecord
from consent.holds import ConsentStoreUnavailable
from consent.redis_faults import Client, faults
from events.keys import FAMILIES, partition_key

_log = logging.getLogger(__name__)

FAMILY: Final = "act"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ActRecord)


class RedisActRecords:
    """See `consent.act_records.ActRecords`. An unfinished record has no end; a finished one has its family's."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def begin(self, record: ActRecord) -> ActRecord | None:
        """See `ActRecords`."""
        with faults():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.set(_key(record), _encoder.encode(record), nx=True, get=True)
                pipeline.zadd(_pending_key(record.partition), {record.event_key.hex(): record.made_at}, nx=True)
                found, _ = await pipeline.execute()
        if found is None:
            return None
        standing = _read(found)
        if standing.done:
            with faults():
                await self._client.zrem(_pending_key(record.partition), record.event_key.hex())
        return standing

    async def finish(self, record: ActRecord) -> None:
        """See `ActRecords`."""
        done = _encoder.encode(replace(record, done=True))
        with faults():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.set(_key(record), done, ex=FAMILIES[FAMILY].lifetime_s)
                pipeline.zrem(_pending_key(record.partition), record.event_key.hex())
                await pipeline.execute()

    async def pending(self, partition: int) -> list[ActRecord]:
        """See `ActRecords`."""
        with faults():
            names: list[Any] = await self._client.zrange(_pending_key(partition), 0, -1)
            if not names:
                return []
            async with self._client.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.get(partition_key(FAMILY, partition, name.decode()))
                values = await pipeline.execute()
        return [record for value in values if (record := _unfinished(value)) is not None]


def _key(record: ActRecord) -> str:
    return partition_key(FAMILY, record.partition, record.event_key.hex())


def _pending_key(partition: int) -> str:
    return partition_key(FAMILY, partition)


def _unfinished(value: bytes | None) -> ActRecord | None:
    try:
        record = None if value is None else _read(value)
    except ConsentStoreUnavailable:
        # It stays, and whoever records that act again is told; the others of its partition go on.
        _log.error("an act record cannot be read and is left alone")
        return None
    return None if record is None or record.done else record


def _read(value: bytes) -> ActRecord:
    try:
        return _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConsentStoreUnavailable("an act record cannot be read") from error
