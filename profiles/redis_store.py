"""The store in Redis or Valkey, a single server or a cluster."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Self

from redis import exceptions
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer

from events.keys import checkpoint_key, facet_key, outbox_key
from events.position import Checkpoint, Stream, encode_checkpoint
from profiles.codec import decode_facet, encode_facets
from profiles.commit_checks import check_commit, entry_id, entry_place, read_checkpoint
from profiles.facet import Facet
from profiles.redis_faults import faults, is_missing_function
from profiles.redis_library import FUNCTION, Client, install, library_code, require_fit, target_of
from profiles.store import Commit, Committed, Mismatch, OutboxEntry, Standing

_PACKER: Final[Any] = HiredisRespSerializer()

TIMEOUT_S: Final = 5.0
"""How long an answer may take; above the time one commit and its write to disk need by far."""


def redis_client(url: str, *, cluster: bool, timeout_s: float = TIMEOUT_S) -> Client:
    """A client for `redis://`, `rediss://` or `unix://`; nothing is sent yet. ValueError for another address.

    It sends nothing twice by itself: whether to try again is for those who know what they sent.
    """
    settings: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if cluster:
        return RedisCluster.from_url(url, **settings)
    client = Redis.from_url(url, **settings)
    kind = client.connection_pool.connection_class
    client.connection_pool.connection_class = type(kind.__name__, (_Quick, kind), {})
    return client


class _Quick:
    """A connection that packs commands in C, as the client's own synchronous ones do, and knows how uvloop fails.

    A commit has a thousand words, and packing each in Python costs as much as compressing a facet.
    """

    async def send_packed_command(self, *sent: Any, **how: Any) -> None:
        sending: Any = super()
        try:
            await sending.send_packed_command(*sent, **how)
        except RuntimeError as error:
            # uvloop's word for a connection that was reset since it was last looked at.
            raise exceptions.ConnectionError("the connection is closed") from error

    def pack_command(self, *words: Any) -> list[bytes]:
        packed: list[bytes] = _PACKER.pack(*words)
        return packed


class RedisStore:
    """See `profiles.store.ProfileStore`. Make it with `connect`, which sees to the server's version and library."""

    def __init__(
        self, client: Client, *, partitions: int | None = None, decode: Callable[[bytes], Facet] = decode_facet
    ) -> None:
        self.client: Final = client
        self._partitions = partitions
        self._decode = decode
        self._code = library_code()
        self._under_way: set[asyncio.Task[bytes | None]] = set()

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        cluster: bool = False,
        timeout_s: float = TIMEOUT_S,
        partitions: int | None = None,
        decode: Callable[[bytes], Facet] = decode_facet,
    ) -> Self:
        """A store that answers, is fit, and has our functions; ProfileStoreUnavailable or ProfileStoreUnfit if not.

        `partitions`: how many there are, so that a commit is refused that holds identities of another one.
        """
        client = redis_client(url, cluster=cluster, timeout_s=timeout_s)
        store = cls(client, partitions=partitions, decode=decode)
        try:
            await require_fit(client, cluster=cluster)
            await install(client, code=store._code)
        except BaseException:
            await client.aclose()
            raise
        return store

    async def close(self) -> None:
        """Wait for commits under way, then let go of the connections."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.client.aclose()

    async def checkpoint(self, stream: Stream) -> Checkpoint | None:
        """See `ProfileStore`."""
        return read_checkpoint(await self._ask("GET", checkpoint_key(stream)))

    async def load(self, partition: int, identities: Collection[str]) -> dict[str, Facet]:
        """See `ProfileStore`."""
        if not identities:
            return {}
        blobs = await self._ask("MGET", *(facet_key(partition, identity) for identity in identities))
        return self._facets(identities, blobs)

    async def load_standing(self, stream: Stream, identities: Collection[str]) -> Standing:
        """See `ProfileStore`; one command, so that nothing comes in between."""
        names = [facet_key(stream.partition, identity) for identity in identities]
        standing, *blobs = await self._ask("MGET", checkpoint_key(stream), *names)
        return Standing(read_checkpoint(standing), self._facets(identities, blobs))

    async def commit(self, commit: Commit) -> Committed | Mismatch:
        """See `ProfileStore`; ValueError as `profiles.commit_checks` says.

        It is sent to its end even if the caller is cancelled: half a call would leave a connection with an answer
        that nobody waits for. After an error the outcome is unknown; sent again, a commit that did stand answers with
        a mismatch that found its own `next`.
        """
        check_commit(commit, partitions=self._partitions)
        sending = asyncio.create_task(self._send(commit))
        self._under_way.add(sending)
        sending.add_done_callback(self._landed)
        standing = await asyncio.shield(sending)
        return Committed() if standing is None else Mismatch(read_checkpoint(standing))

    async def outbox(self, stream: Stream, *, limit: int) -> list[tuple[str, OutboxEntry]]:
        """See `ProfileStore`."""
        found = await self._ask("XRANGE", outbox_key(stream), "-", "+", "COUNT", limit)
        return [(str(raw_id, "ascii"), _entry(str(raw_id, "ascii"), fields)) for raw_id, fields in found]

    async def drop_outbox(self, stream: Stream, ids: Sequence[str]) -> None:
        """See `ProfileStore`."""
        if ids:
            await self._ask("XDEL", outbox_key(stream), *ids)

    async def outbox_length(self, stream: Stream) -> int:
        """See `ProfileStore`."""
        return int(await self._ask("XLEN", outbox_key(stream)))

    def _facets(self, identities: Collection[str], blobs: Sequence[bytes | None]) -> dict[str, Facet]:
        found = zip(identities, blobs, strict=True)
        return {identity: self._decode(blob) for identity, blob in found if blob is not None}

    def _landed(self, sending: asyncio.Task[bytes | None]) -> None:
        self._under_way.discard(sending)
        if not sending.cancelled():
            # Looked at here, since a caller that was cancelled never does.
            sending.exception()

    async def _ask(self, command: str, *words: Any) -> Any:
        with faults():
            return await self.client.execute_command(command, *words)

    async def _send(self, commit: Commit) -> bytes | None:
        """None when everything is written, else the checkpoint that stands."""
        words = _words(commit)
        with faults():
            try:
                return await self._call(words)
            except exceptions.ResponseError as error:
                if not is_missing_function(error):
                    raise
            await install(self.client, code=self._code)
            return await self._call(words)

    async def _call(self, words: Sequence[str | bytes | int]) -> bytes | None:
        target = await target_of(self.client, str(words[1]))
        standing: bytes | None = await self.client.execute_command("FCALL", FUNCTION, *words, **target)
        return standing


def _words(commit: Commit) -> list[str | bytes | int]:
    """Key count, keys and arguments, as the library's head describes them."""
    stream = commit.stream
    keys = [checkpoint_key(stream), outbox_key(stream)]
    keys += [facet_key(stream.partition, identity) for identity in commit.facets]
    values = [b"" if commit.expected is None else encode_checkpoint(commit.expected), encode_checkpoint(commit.next)]
    values += encode_facets(commit.facets.values())
    entries: list[str | bytes] = []
    for entry in commit.outbox:
        entries += (entry_id(commit, entry), entry.kind, entry.payload)
    return [len(keys), *keys, *values, *entries]


def _entry(name: str, fields: dict[bytes, bytes]) -> OutboxEntry:
    offset, index = entry_place(name)
    kind: Any = str(fields[b"kind"], "ascii")
    return OutboxEntry(offset=offset, index=index, kind=kind, payload=fields[b"payload"])
