"""Many checkpoints from Redis in one round trip."""

from collections.abc import Collection
from typing import Any, Final

from events.keys import checkpoint_key
from events.position import Checkpoint, Stream
from profiles.commit_checks import read_checkpoint
from profiles.redis_faults import faults
from profiles.redis_library import Client


class RedisCheckpoints:
    """See `streams.store_watch.Standing`."""

    def __init__(self, client: Client) -> None:
        self._client: Final = client

    async def __call__(self, streams: Collection[Stream], /) -> dict[Stream, Checkpoint | None]:
        """What stands of each of the streams; errors are those of `profiles.store`."""
        if not streams:
            return {}
        with faults():
            async with self._client.pipeline(transaction=False) as pipeline:
                for stream in streams:
                    pipeline.get(checkpoint_key(stream))
                standing: list[Any] = await pipeline.execute()
        return {stream: read_checkpoint(raw) for stream, raw in zip(streams, standing, strict=True)}
