"""Rebuilt facets in Redis or Valkey, beside those in use."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from events.keys import PREFIX, checkpoint_key, facet_key, partition_key
from events.position import Checkpoint, Position, Stream, encode_checkpoint
from profiles.codec import decode_facet, encode_facet
from profiles.facet import Facet
from profiles.packed import Packed
from profiles.rebuild import Closed, Origin, decode_place, encode_closed, encode_place, read_standing
from profiles.redis_faults import faults
from profiles.redis_library import FUNCTION, Client, target_of

FAMILY: Final = "rebuilt"
_SCRIPT: Final = Path(__file__).with_name("rebuild.lua").read_text(encoding="utf-8")
_LATE: Final = -1
_PAGE: Final = 1000


class RedisRebuild:
    """See `profiles.rebuild.RebuildStore`; the client is that of a connected `RedisStore`, which brings the library."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def standing(self, stream: Stream) -> Checkpoint | Closed | None:
        """See `RebuildStore`."""
        with faults():
            raw: Any = await self._client.get(checkpoint_key(stream))
        return read_standing(raw)

    async def change(self, stream: Stream, expected: Checkpoint | Closed | None, following: Closed) -> bool:
        """See `RebuildStore`."""
        done = await self._do("change", [checkpoint_key(stream)], expected, encode_closed(following))
        return done is not None

    async def reopen(self, stream: Stream, expected: Closed, following: Checkpoint, *, is_done: bool) -> bool:
        """See `RebuildStore`."""
        keys = [checkpoint_key(stream), *([_place_key(stream.partition)] if is_done else [])]
        return await self._do("change", keys, expected, encode_checkpoint(following)) is not None

    async def place(self, partition: int) -> Position | None:
        """See `RebuildStore`."""
        with faults():
            raw: Any = await self._client.get(_place_key(partition))
        return decode_place(raw)

    async def load(self, partition: int, identities: Collection[str]) -> tuple[Position | None, dict[str, Facet]]:
        """See `RebuildStore`; one command, so that nothing comes in between."""
        names = [_rebuilt_key(partition, identity) for identity in identities]
        with faults():
            place, *blobs = await self._client.execute_command("MGET", _place_key(partition), *names)
        found = zip(identities, blobs, strict=True)
        return decode_place(place), {identity: decode_facet(blob) for identity, blob in found if blob is not None}

    async def add(
        self, partition: int, *, expected: Position | None, following: Position, facets: Mapping[str, Facet | Packed]
    ) -> bool:
        """See `RebuildStore`; by the function of the commit, with the place for a checkpoint and no outbox."""
        place = _place_key(partition)
        keys = [place, place, *(_rebuilt_key(partition, identity) for identity in facets)]
        values = [encode_place(expected), encode_place(following), *map(encode_facet, facets.values())]
        with faults():
            target = await target_of(self._client, place)
            standing = await self._client.execute_command("FCALL", FUNCTION, len(keys), *keys, *values, **target)
        return standing is None

    async def prune(self, stream: Stream, closed: Closed, identities: Sequence[str]) -> int | None:
        """See `RebuildStore`."""
        return await self._do("prune", _pairs(stream, identities), closed)

    async def move(self, stream: Stream, closed: Closed, identities: Sequence[str]) -> int | None:
        """See `RebuildStore`."""
        return await self._do("move", _pairs(stream, identities), closed)

    async def forget(self, partition: int) -> None:
        """See `RebuildStore`."""
        with faults():
            await self._client.unlink(_place_key(partition))

    async def sweep(self, partition: int, identities: Sequence[str]) -> int:
        """See `RebuildStore`."""
        names = [_place_key(partition), *(_rebuilt_key(partition, identity) for identity in identities)]
        return await self._do("sweep", names, None) or 0

    async def identities(self, origin: Origin) -> AsyncIterator[tuple[int, str]]:
        """See `RebuildStore`."""
        with faults():
            async for raw in self._scan(f"{PREFIX}:{{*}}:{origin}:*"):
                _, tag, _, identity = raw.decode().split(":", 3)
                yield int(tag.strip("{}")), identity

    def _scan(self, pattern: str) -> AsyncIterator[bytes]:
        everywhere: dict[str, Any] = {} if isinstance(self._client, Redis) else {"target_nodes": "primaries"}
        found: AsyncIterator[bytes] = self._client.scan_iter(match=pattern, count=_PAGE, **everywhere)
        return found

    async def _do(
        self, deed: str, keys: Sequence[str], expected: Checkpoint | Closed | None, *words: bytes
    ) -> int | None:
        """What the deed did, None when something else stands than is expected."""
        with faults():
            done: Any = await self._client.eval(_SCRIPT, len(keys), *keys, deed, _stored(expected), *words)
        return None if done == _LATE else int(done)


def _stored(standing: Checkpoint | Closed | None) -> bytes:
    if standing is None:
        return b""
    return encode_closed(standing) if isinstance(standing, Closed) else encode_checkpoint(standing)


def _pairs(stream: Stream, identities: Sequence[str]) -> list[str]:
    partition = stream.partition
    pairs = [(_rebuilt_key(partition, identity), facet_key(partition, identity)) for identity in identities]
    return [checkpoint_key(stream), *(key for pair in pairs for key in pair)]


def _place_key(partition: int) -> str:
    return partition_key(FAMILY, partition)


def _rebuilt_key(partition: int, identity: str) -> str:
    return partition_key(FAMILY, partition, identity)
