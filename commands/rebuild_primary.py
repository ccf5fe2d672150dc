"""What only the store knows, brought to another store whose partitions are counted otherwise.

Values go as they are, with the time they have left; only where a value says its partition is it written anew. Copied
twice is copied once, so whoever is killed begins again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from consent.act_records import ActRecord
from events.keys import PREFIX, global_key, partition_key
from events.partitioning import partition_of
from outreach.candidates import decode_candidate
from outreach.decision import Decision
from profiles.redis_faults import faults
from profiles.redis_library import Client

GLOBAL: Final = frozenset({"decision", "shown", "dead", "dead-key"})
OF_AN_IDENTITY: Final = frozenset({"hold", "cap"})
INDEXED: Final = frozenset({"hold", "act", "due"})
"""Families with a sorted set of all that is in a partition."""

_acts = msgspec.msgpack.Decoder(ActRecord)
_decisions = msgspec.msgpack.Decoder(Decision)


@dataclass
class PrimaryMove:
    """Copies what is primary. `copied` counts keys, and members of indexes, by family."""

    old: Client
    new: Client
    partitions: int
    copied: Counter[str] = field(default_factory=Counter)

    async def run(self) -> Mapping[str, int]:
        """Copy everything; errors are those of `profiles.store`."""
        everywhere: dict[str, Any] = {} if isinstance(self.old, Redis) else {"target_nodes": "primaries"}
        with faults():
            async for raw in self.old.scan_iter(match=f"{PREFIX}:*", count=1000, **everywhere):
                await self._copy(raw.decode())
        return dict(self.copied)

    async def _copy(self, key: str) -> None:
        words = key.split(":")
        is_tagged = words[1].startswith("{")
        family, rest = (words[2], words[3:]) if is_tagged else (words[1], words[2:])
        if not is_tagged and family in GLOBAL:
            await self._whole(key, global_key(family, *rest), family)
        elif family in OF_AN_IDENTITY and rest:
            identity = ":".join(rest)
            await self._whole(key, partition_key(family, self._home(identity), identity), family)
        elif family in INDEXED and not rest:
            await self._index(key, family)
        elif family == "act":
            await self._act(key, rest[0])
        elif family == "outreach" and rest[0] == "of":
            identity = ":".join(rest[1:])
            await self._whole(key, partition_key(family, self._home(identity), "of", identity), family)
        elif family == "outreach":
            value = await self.old.get(key)
            if isinstance(value, bytes):
                home = self._home(_decisions.decode(value).identity)
                await self._whole(key, partition_key(family, home, rest[0]), family)

    async def _whole(self, key: str, home: str, family: str) -> None:
        """Copy one key, unless its time ended meanwhile."""
        payload, left_ms = await self.old.dump(key), await self.old.pttl(key)
        if payload is not None:
            await self.new.restore(home, max(left_ms, 0), payload, replace=True)
            self.copied[family] += 1

    async def _index(self, key: str, family: str) -> None:
        listed: Any = await self.old.zrange(key, 0, -1, withscores=True)
        for member, score in listed:
            home = partition_key(family, self._home_of_member(family, member))
            await self.new.zadd(home, {member: score})
            self.copied[family] += 1

    async def _act(self, key: str, event_key: str) -> None:
        value, left_ms = await self.old.get(key), await self.old.pttl(key)
        if isinstance(value, bytes):
            record = _acts.decode(value)
            home = partition_of(record.event_key, self.partitions)
            encoded = msgspec.msgpack.encode(replace(record, partition=home))
            await self.new.set(partition_key("act", home, event_key), encoded, px=left_ms if left_ms > 0 else None)
            self.copied["act"] += 1

    def _home(self, identity: str) -> int:
        return partition_of(identity.encode(), self.partitions)

    def _home_of_member(self, family: str, member: bytes) -> int:
        if family == "due":
            return self._home(decode_candidate(member).person)
        if family == "act":
            return partition_of(bytes.fromhex(member.decode()), self.partitions)
        return self._home(member.decode().split(" ")[0])
