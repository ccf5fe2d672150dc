"""What a store keeps of a person beside the profile: found by the bytes of the pseudonym, whatever family it is in.

Only the owner of a partition writes facets, so those are left to it; dead letters are encrypted, and left to who can
open them. The server's files are written anew afterwards, since an append-only file holds what was deleted.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from consent.act_records import ActRecord
from consent.redis_faults import Client, faults
from events.keys import PREFIX, global_key
from events.pseudonyms import PSEUDONYM

FAMILY: Final = "rights"
LEFT_ALONE: Final = frozenset({"checkpoint", "facet", "outbox", "epochs", "dead", "dead-key", "lag", "lease", FAMILY})
"""Families that hold nothing of a person, or are somebody else's to write."""
REWRITE_S: Final = 60.0
PAUSE_S: Final = 0.05
_PAGE: Final = 1000
_PSEUDONYM: Final = re.compile(PSEUDONYM.pattern.encode())

_acts = msgspec.msgpack.Decoder(ActRecord)


class ActUnfinished(Exception):
    """A consent act about the person is not on the log yet; its sweeper sees to it, and then it can go."""


class StoreResidue(Protocol):
    """What a store keeps of persons beside facets and dead letters. `consent.holds.ConsentStoreUnavailable`."""

    async def found(self, identities: Collection[str]) -> Mapping[str, int]:
        """How many entries of each family name one of the identities."""
        ...

    async def forget(self, identities: Collection[str]) -> Mapping[str, int]:
        """Delete them; how many of each family. ActUnfinished."""
        ...

    async def named(self, is_wanted: Callable[[str], bool]) -> set[str]:
        """All identities that are named anywhere, in facets too, and are wanted."""
        ...

    async def rewrite_files(self) -> str | None:
        """Let the server write its files anew; why it did not, None once they are written."""
        ...

    async def reached(self) -> int:
        """The number of the last erasure that was done in this store; 0 where none was."""
        ...

    async def reach(self, number: int) -> None:
        """Remember that number."""
        ...


class RedisResidue:
    """See `StoreResidue`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._everywhere: dict[str, Any] = {} if isinstance(client, Redis) else {"target_nodes": "primaries"}

    async def found(self, identities: Collection[str]) -> Mapping[str, int]:
        """See `StoreResidue`."""
        counts: Counter[str] = Counter()
        with faults():
            async for family, _, members in self._naming(identities):
                counts[family] += len(members) or 1
        return counts

    async def names_of(self, family: str, identities: Collection[str]) -> list[str]:
        """The last part of the keys of a family, outside partitions, whose value names one of the identities."""
        begins = f"{global_key(family)}:".encode()
        with faults():
            found = [key async for name, key, _ in self._naming(identities) if name == family]
        return [key.removeprefix(begins).decode() for key in found if key.startswith(begins)]

    async def forget(self, identities: Collection[str]) -> Mapping[str, int]:
        """See `StoreResidue`."""
        counts: Counter[str] = Counter()
        unfinished = False
        with faults():
            async for family, key, members in self._naming(identities):
                if family == "act" and not _is_done(await self._client.get(key)):
                    unfinished = True
                elif members:
                    counts[family] += await self._client.zrem(key, *members)
                else:
                    counts[family] += await self._client.unlink(key)
        if unfinished:
            raise ActUnfinished("a consent act about the person is still being recorded")
        return counts

    async def named(self, is_wanted: Callable[[str], bool]) -> set[str]:
        """See `StoreResidue`."""
        found: set[str] = set()
        with faults():
            async for keys in self._pages(left_alone=LEFT_ALONE - {"facet"}):
                texts, indexes = await self._values(keys)
                for raw in (*keys, *texts.values(), *(member for members in indexes.values() for member in members)):
                    found.update(filter(is_wanted, map(bytes.decode, _PSEUDONYM.findall(raw))))
        return found

    async def rewrite_files(self) -> str | None:
        """See `StoreResidue`."""
        with faults():
            if not await self._has_settled():
                return "the store's files were being written already"
            try:
                await self._client.execute_command("BGREWRITEAOF", **self._everywhere)
            except ResponseError:
                return "the store refuses BGREWRITEAOF to this user: let its operator do that"
            if not await self._has_settled():
                return f"the store's files were not written anew within {REWRITE_S:.0f} seconds"
            told = await self._persistence()
        is_good = all(each.get("aof_last_bgrewrite_status") == "ok" for each in told)
        return None if is_good else "the store could not write its files anew; its log says why"

    async def reached(self) -> int:
        """See `StoreResidue`."""
        with faults():
            found: Any = await self._client.get(global_key(FAMILY))
        return int(found or 0)

    async def reach(self, number: int) -> None:
        """See `StoreResidue`."""
        with faults():
            await self._client.set(global_key(FAMILY), number)

    async def _naming(self, identities: Collection[str]) -> AsyncIterator[tuple[str, bytes, list[bytes]]]:
        """Family and key of whatever names one of the identities; of an index, the members that do."""
        names = [identity.encode() for identity in identities]
        async for keys in self._pages(left_alone=LEFT_ALONE):
            for key in [key for key in keys if _names(key, names)]:
                yield _family(key), key, []
            texts, indexes = await self._values([key for key in keys if not _names(key, names)])
            for key, value in texts.items():
                if _names(value, names):
                    yield _family(key), key, []
            for key, members in indexes.items():
                if naming := [member for member in members if _names(member, names)]:
                    yield _family(key), key, naming

    async def _pages(self, *, left_alone: frozenset[str]) -> AsyncIterator[list[bytes]]:
        page: list[bytes] = []
        async for key in self._client.scan_iter(match=f"{PREFIX}:*", count=_PAGE, **self._everywhere):
            if _family(key) not in left_alone:
                page.append(key)
            if len(page) >= _PAGE:
                yield page
                page = []
        yield page

    async def _values(self, keys: Sequence[bytes]) -> tuple[dict[bytes, bytes], dict[bytes, list[bytes]]]:
        """What stands under those that are texts, and the members of those that are indexes. A facet is packed."""
        open_ones = [key for key in keys if _family(key) != "facet"]
        kinds = dict(zip(open_ones, await self._each("type", open_ones), strict=True))
        texts = [key for key, kind in kinds.items() if kind == b"string"]
        found = zip(texts, await self._each("get", texts), strict=True)
        indexes: dict[bytes, Any] = {
            key: await self._client.zrange(key, 0, -1) for key, kind in kinds.items() if kind == b"zset"
        }
        return {key: value for key, value in found if value is not None}, indexes

    async def _each(self, command: str, keys: Sequence[bytes]) -> list[Any]:
        if not keys:
            return []
        async with self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                getattr(pipeline, command)(key)
            return list(await pipeline.execute())

    async def _has_settled(self) -> bool:
        """Wait until no server writes its files; False when that takes too long."""
        for _ in range(int(REWRITE_S / PAUSE_S)):
            told = await self._persistence()
            if not any(each.get("aof_rewrite_in_progress") or each.get("aof_rewrite_scheduled") for each in told):
                return True
            await asyncio.sleep(PAUSE_S)
        return False

    async def _persistence(self) -> list[dict[str, Any]]:
        told: Any = await self._client.info("persistence", **self._everywhere)
        return [told] if isinstance(self._client, Redis) or "loading" in told else list(told.values())


def _family(key: bytes) -> str:
    """The family of a key, whether or not it belongs to a partition."""
    parts = key.decode().split(":")
    return parts[2] if parts[1].startswith("{") else parts[1]


def _names(raw: bytes, names: Sequence[bytes]) -> bool:
    return any(name in raw for name in names)


def _is_done(value: Any) -> bool:
    try:
        return value is None or _acts.decode(value).done
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
