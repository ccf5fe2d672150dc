"""Decisions in Redis or Valkey: one key each, and per identity a sorted set of who was shown which, by time (ms)."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from consent.accesses import Access
from events.keys import FAMILIES, global_key
from profiles.redis_pipelining import Commands, Pipelining
from recommender.decisions import LOOKS_MAX, Decision, DecisionsUnavailable, Look, latest_first

FAMILY: Final = "decision"
SHOWN: Final = "shown"

_NOTE: Final = """\
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1] - ARGV[3] * 1000)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""
"""KEYS: who was shown an identity's decisions. ARGV: time in ms, the look, lifetime in s, looks at most."""


class _Shown(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A look as it is a member of the set; the time is its score, the identity in the key."""

    decision: str
    key: str
    role: str
    what: str
    purpose: str
    reason: str
    broke_glass: bool


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Decision)
_looks = msgspec.msgpack.Decoder(_Shown)


class RedisDecisions:
    """See `recommender.decisions.Decisions`."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client
        self._writing = Pipelining(client)

    async def keep(self, decision: Decision, *, shown: Access) -> None:
        """See `Decisions`."""
        name, value = _key(decision.id), _encoder.encode(decision)
        member = _encoder.encode(
            _Shown(decision.id, shown.key, shown.role, shown.what, shown.purpose, shown.reason, shown.broke_glass)
        )
        looks = global_key(SHOWN, decision.identity)

        def add_writes(commands: Commands) -> None:
            commands.set(name, value, ex=FAMILIES[FAMILY].lifetime_s)
            commands.eval(_NOTE, looks, shown.at, member, FAMILIES[SHOWN].lifetime_s or 0, LOOKS_MAX)

        with _faults():
            await self._writing.ask(add_writes)

    async def get(self, decision_id: str) -> Decision | None:
        """See `Decisions`."""
        with _faults():
            found: Any = await self._client.get(_key(decision_id))
            return None if found is None else _decoder.decode(found)

    async def looks_at(self, identities: Collection[str]) -> list[Look]:
        """See `Decisions`."""
        found: list[Look] = []
        with _faults():
            for identity in identities:
                listed: Any = await self._client.zrange(global_key(SHOWN, identity), 0, -1, withscores=True)
                found += (_look(identity, int(at), _looks.decode(member)) for member, at in listed)
        return latest_first(found)


def _look(identity: str, at: int, shown: _Shown) -> Look:
    access = Access(
        at, shown.key, shown.role, shown.what, identity, shown.purpose, shown.reason, broke_glass=shown.broke_glass
    )
    return Look(shown.decision, access)


def _key(decision_id: str) -> str:
    return global_key(FAMILY, decision_id)


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DecisionsUnavailable(f"the store did not serve decisions: {type(error).__name__}") from error
