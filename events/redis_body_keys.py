"""Keys in a Redis of their own, apart from the store of profiles.

`rapport-keys:of:IDENTITY` is a hash from kind and period to the id of a key, `rapport-keys:id:ID` the wrapped secret:
empty once it is gone. `rapport-keys:retired` holds the keys of the erased by id, `rapport-keys:destructions` counts how
often keys were taken away. The server has to write an append-only file, `appendfsync always`, and to evict nothing.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import msgspec
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from events.body_keys import BodyKeysUnavailable, KeyName, Retired, StoredKey

TIMEOUT_S: Final = 5.0
REWRITE_S: Final = 60.0
_PAUSE_S: Final = 0.05
_PREFIX: Final = "rapport-keys"
_RETIRED: Final = f"{_PREFIX}:retired"
_REACHED: Final = f"{_PREFIX}:reached"
_DESTRUCTIONS: Final = f"{_PREFIX}:destructions"
_GONE: Final = b""

_retired = msgspec.msgpack.Decoder(Retired)


class RedisBodyKeys:
    """See `events.body_keys.BodyKeys`."""

    is_near: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        self._client: Any = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)

    def close(self) -> None:
        """Let go of the server."""
        self._client.close()

    def named(self, names: Collection[KeyName]) -> dict[KeyName, StoredKey]:
        """See `BodyKeys`."""
        asked = list(names)
        with self._piped() as pipe:
            for name in asked:
                pipe.hget(_of(name.identity), _field(name))
            ids = [None if each is None else each.decode() for each in pipe.execute()]
        found = self.find([each for each in ids if each is not None])
        pairs = ((name, key_id, found.get(key_id or "")) for name, key_id in zip(asked, ids, strict=True))
        return {name: StoredKey(key_id, wrapped) for name, key_id, wrapped in pairs if key_id and wrapped}

    def ensure(self, offered: Mapping[KeyName, StoredKey]) -> dict[KeyName, StoredKey]:
        """See `BodyKeys`."""
        with self._piped() as pipe:
            for name, stored in offered.items():
                pipe.set(_id(stored.id), stored.wrapped)
                pipe.hsetnx(_of(name.identity), _field(name), stored.id)
            taken = pipe.execute()[1::2]
            # Another process came first.
            if lost := [_id(each.id) for each, won in zip(offered.values(), taken, strict=True) if not won]:
                self._client.unlink(*lost)
        return self.named(offered)

    def find(self, ids: Collection[str]) -> dict[str, bytes | None]:
        """See `BodyKeys`."""
        asked = list(ids)
        with _faults():
            values = self._client.mget([_id(each) for each in asked]) if asked else []
        return {each: value or None for each, value in zip(asked, values, strict=True) if value is not None}

    def identities(self) -> set[str]:
        """See `BodyKeys`."""
        with _faults():
            return {each.decode().removeprefix(_of("")) for each in self._scan(_of("*"))}

    def tally(self) -> dict[tuple[str, str], int]:
        """See `BodyKeys`."""
        with _faults():
            return Counter(_kind_and_period(each) for key in self._scan(_of("*")) for each in self._client.hkeys(key))

    def destroy(self, identities: Collection[str], *, spared: Collection[str] = ()) -> int:
        """See `BodyKeys`."""
        with _faults():
            return sum(self._destroyed(_of(each), lambda kind, _: kind not in spared) for each in identities)

    def age_out(self, kind: str, period: str) -> int:
        """See `BodyKeys`."""
        with _faults():
            return sum(self._destroyed(key, lambda *own: own == (kind, period)) for key in self._scan(_of("*")))

    def retire(self, identities: Collection[str], *, because: str, until: int) -> int:
        """See `BodyKeys`."""
        return sum(self._retire(_of(each), because, until) for each in identities)

    def destructions(self) -> int:
        """See `BodyKeys`."""
        with _faults():
            return int(self._client.get(_DESTRUCTIONS) or 0)

    def retired(self) -> list[Retired]:
        """See `BodyKeys`."""
        with _faults():
            found = map(_retired.decode, self._client.hvals(_RETIRED))
        return sorted(found, key=lambda each: (each.because, each.id))

    def end(self, ids: Collection[str]) -> int:
        """See `BodyKeys`."""
        with _faults():
            return int(self._client.hdel(_RETIRED, *ids)) if ids else 0

    def give_up(self, ids: Collection[str]) -> int:
        """See `BodyKeys`."""
        with _faults():
            return sum(bool(self._client.setnx(_id(each), _GONE)) for each in ids)

    def reached(self) -> int:
        """See `BodyKeys`."""
        with _faults():
            return int(self._client.get(_REACHED) or 0)

    def reach(self, number: int) -> None:
        """See `BodyKeys`."""
        with _faults():
            self._client.set(_REACHED, number)

    def wipe(self) -> str | None:
        """See `BodyKeys`."""
        with _faults():
            if self._settled() is None:
                return "the files of the keys were being written already"
            try:
                self._client.bgrewriteaof()
            except ResponseError:
                return "the server of the keys refuses BGREWRITEAOF to this user: let its operator do that"
            told = self._settled()
        if told is None:
            return f"the files of the keys were not written anew within {REWRITE_S:.0f} seconds"
        is_good = told.get("aof_last_bgrewrite_status") == "ok"
        return None if is_good else "the server of the keys could not write its files anew; its log says why"

    def _settled(self) -> dict[str, Any] | None:
        """What the server says of its files once it does not write them anew; None when that takes too long."""
        deadline = time.monotonic() + REWRITE_S
        while time.monotonic() < deadline:
            told: dict[str, Any] = self._client.info("persistence")
            if not (told.get("aof_rewrite_in_progress") or told.get("aof_rewrite_scheduled")):
                return told
            time.sleep(_PAUSE_S)
        return None

    def _destroyed(self, key: str | bytes, wanted: Any) -> int:
        doomed = {each: name for each, name in self._client.hgetall(key).items() if wanted(*_kind_and_period(each))}
        if not doomed:
            return 0
        with self._piped() as pipe:
            for name in doomed.values():
                pipe.set(_id(name.decode()), _GONE)
            pipe.incr(_DESTRUCTIONS)
            pipe.hdel(key, *doomed)
            return int(pipe.execute()[-1])

    def _retire(self, key: str, because: str, until: int) -> int:
        with _faults():
            ids = {each: name.decode() for each, name in self._client.hgetall(key).items()}
            standing = self.find(ids.values())
            if not ids:
                return 0
            with self._piped() as pipe:
                for name in ids.values():
                    kept = Retired(name, standing.get(name) or b"", because, until)
                    pipe.hset(_RETIRED, name, msgspec.msgpack.encode(kept))
                    pipe.set(_id(name), _GONE)
                pipe.incr(_DESTRUCTIONS)
                pipe.hdel(key, *ids)
                return int(pipe.execute()[-1])

    def _scan(self, pattern: str) -> Iterator[bytes]:
        yield from self._client.scan_iter(match=pattern, count=1000)

    @contextmanager
    def _piped(self) -> Iterator[Any]:
        """Commands that are done all or none."""
        with _faults(), self._client.pipeline(transaction=True) as pipe:
            yield pipe


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise BodyKeysUnavailable(f"the server of the keys did not answer: {type(error).__name__}") from error


def _of(identity: str) -> str:
    return f"{_PREFIX}:of:{identity}"


def _id(key_id: str) -> str:
    return f"{_PREFIX}:id:{key_id}"


def _field(name: KeyName) -> str:
    return f"{name.kind}|{name.period}"


def _kind_and_period(field: bytes) -> tuple[str, str]:
    kind, _, period = field.decode().partition("|")
    return kind, period
