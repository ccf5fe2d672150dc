"""Decisions in Redis or Valkey: one key each, forgotten after its family's lifetime."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from events.keys import FAMILIES, global_key
from profiles.redis_pipelining import Pipelining
from recommender.decisions import Decision, DecisionsUnavailable

FAMILY: Final = "decision"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Decision)


class RedisDecisions:
    """See `recommender.decisions.Decisions`."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client
        self._writing = Pipelining(client)

    async def keep(self, decision: Decision) -> None:
        """See `Decisions`."""
        name, value = _key(decision.id), _encoder.encode(decision)
        with _faults():
            await self._writing.ask(lambda commands: commands.set(name, value, ex=FAMILIES[FAMILY].lifetime_s))

    async def get(self, decision_id: str) -> Decision | None:
        """See `Decisions`."""
        with _faults():
            found: Any = await self._client.get(_key(decision_id))
            return None if found is None else _decoder.decode(found)


def _key(decision_id: str) -> str:
    return global_key(FAMILY, decision_id)


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DecisionsUnavailable(f"the store did not serve decisions: {type(error).__name__}") from error
