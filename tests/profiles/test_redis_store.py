"""What only a real server can show: deaths, refusals, lost functions, answers that never come."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis, RedisCluster

from embedded import resp
from embedded.ports import LOOPBACK, free_port
from embedded.process import running
from embedded.store import store_service
from events.keys import checkpoint_key
from events.position import Checkpoint, Stream
from profiles.facet import Facet
from profiles.redis_library import FUNCTION, LIBRARY, library_code
from profiles.redis_store import RedisStore
from profiles.store import Commit, Committed, Mismatch, OutboxEntry, ProfileStoreUnavailable, ProfileStoreUnfit
from tests.builders import pseudonym
from tests.servers import Valkey, ValkeyCluster, embedded_store, store_cluster
from tests.waiting import eventually, until

pytestmark = pytest.mark.servers

STREAM = Stream("profiles", "rapport.events", 3)
PEOPLE = [pseudonym(f"app:{number}") for number in range(200)]


def at(offset: int) -> Checkpoint:
    return Checkpoint(epoch=1, offset=offset)


def generation(number: int, *, stream: Stream = STREAM) -> Commit:
    """A commit that writes its own number into everything; number 1 is the first."""
    return Commit(
        stream=stream,
        expected=at(number - 1) if number > 1 else None,
        next=at(number),
        facets=dict.fromkeys(PEOPLE, Facet(recent=number.to_bytes(4, "big"))),
        outbox=[OutboxEntry(number - 1, 0, "candidate", str(number).encode())],
    )


async def standing_generation(store: RedisStore) -> int:
    """The number everything in the store agrees on; 0 for an empty one."""
    checkpoint = await store.checkpoint(STREAM)
    facets = await store.load(STREAM.partition, PEOPLE)
    entries = await store.outbox(STREAM, limit=10_000)
    numbers = {int.from_bytes(facet.recent, "big") for facet in facets.values()}
    if checkpoint is None:
        assert not facets
        assert not entries
        return 0
    assert numbers == {checkpoint.offset}
    assert len(facets) == len(PEOPLE)
    assert [entry.payload for _, entry in entries] == [b"%d" % number for number in range(1, checkpoint.offset + 1)]
    return checkpoint.offset


@asynccontextmanager
async def connected(url: str, *, cluster: bool = False, timeout_s: float = 5.0) -> AsyncIterator[RedisStore]:
    store = await RedisStore.connect(url, cluster=cluster, timeout_s=timeout_s)
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def stopped(server: Valkey) -> Iterator[None]:
    """The server takes what is sent and answers nothing."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Valkey]:
    """A server of this test alone, to be ill-treated."""
    with embedded_store(tmp_path / "own") as server:
        yield server


def kill(server: Valkey) -> None:
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not resp.answers(LOOPBACK, server.port), what="the end of the store")


async def test_a_server_killed_amid_commits_keeps_every_acknowledged_one_and_no_half(tmp_path: Path) -> None:
    acknowledged = 0

    async def commit_on(store: RedisStore) -> None:
        nonlocal acknowledged
        while await store.commit(generation(acknowledged + 1)) == Committed():
            acknowledged += 1

    for enough in (20, 45, 70):
        with embedded_store(tmp_path) as server:
            async with connected(server.url) as store:
                found = await standing_generation(store)
                assert found in (acknowledged, acknowledged + 1)
                acknowledged = found
                committing = asyncio.create_task(commit_on(store))
                await eventually(_of(lambda: acknowledged >= enough))  # noqa: B023 - it is meant to move
                kill(server)
                with pytest.raises(ProfileStoreUnavailable):
                    await committing

    with embedded_store(tmp_path) as server:
        async with connected(server.url) as store:
            assert await standing_generation(store) in (acknowledged, acknowledged + 1)


def _of(condition: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def awaited() -> object:
        return condition()

    return awaited


async def test_a_file_that_ends_in_the_middle_of_a_commit_is_read_up_to_the_one_before(tmp_path: Path) -> None:
    sizes = []
    with embedded_store(tmp_path / "whole") as server:
        async with connected(server.url) as store:
            [written] = (tmp_path / "whole" / "appendonlydir").glob("*.incr.aof")
            for number in (1, 2, 3):
                await store.commit(generation(number))
                sizes.append(written.stat().st_size)
        kill(server)

    last = sizes[2] - sizes[1]
    for at_part, missing in enumerate((0, 1, 40, last // 2, last - 1, last)):
        folder = tmp_path / f"part-{at_part}"
        shutil.copytree(tmp_path / "whole", folder)
        os.truncate(folder / "appendonlydir" / written.name, sizes[2] - missing)
        with embedded_store(folder) as server:
            async with connected(server.url) as store:
                assert await standing_generation(store) == (2 if missing else 3)


async def test_a_commit_without_an_answer_is_sent_again_and_counts_once(own: Valkey) -> None:
    async with connected(own.url, timeout_s=2.0) as store:
        await store.commit(generation(1))
        with stopped(own), pytest.raises(ProfileStoreUnavailable, match="did not answer in time"):
            await store.commit(generation(2))

        # The first one was in the server's buffer and stands.
        await eventually(lambda: _stands(store, 2))
        assert await store.commit(generation(2)) == Mismatch(at(2))
        assert await store.commit(generation(3)) == Committed()
        assert await standing_generation(store) == 3


async def _stands(store: RedisStore, number: int) -> bool:
    return await store.checkpoint(STREAM) == at(number)


async def test_a_commit_whose_caller_is_cancelled_is_sent_to_its_end(own: Valkey) -> None:
    async with connected(own.url) as store:
        await store.commit(generation(1))
        with stopped(own):
            calling = asyncio.create_task(store.commit(generation(2)))
            await eventually(_of(lambda: store._under_way))
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
        await eventually(_of(lambda: not store._under_way))

        assert await standing_generation(store) == 2


async def test_closing_waits_for_a_commit_under_way(own: Valkey) -> None:
    store = await RedisStore.connect(own.url)
    with stopped(own):
        calling = asyncio.create_task(store.commit(generation(1)))
        await eventually(_of(lambda: store._under_way))
        closing = asyncio.create_task(store.close())
    await closing

    assert calling.done()
    assert await calling == Committed()


async def test_a_read_that_is_cancelled_leaves_its_answer_to_nobody(own: Valkey) -> None:
    async with connected(own.url) as store:
        assert isinstance(store.client, Redis)
        pool = store.client.connection_pool
        await store.commit(generation(1))
        with stopped(own):
            reading = [asyncio.create_task(store.load(3, PEOPLE)) for _ in range(5)]
            await eventually(_of(lambda: len(pool._in_use_connections) == len(reading)))
            for each in reading:
                each.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

        asked = await asyncio.gather(*(store.checkpoint(STREAM) for _ in range(10)))
        assert asked == [at(1)] * 10


async def test_a_server_that_comes_back_is_used_again_without_a_new_store(tmp_path: Path) -> None:
    port = free_port()
    with embedded_store(tmp_path, port=port) as server:
        store = await RedisStore.connect(server.url)
        await store.commit(generation(1))
        kill(server)
        with pytest.raises(ProfileStoreUnavailable, match="no connection"):
            await store.commit(generation(2))
        with pytest.raises(ProfileStoreUnavailable, match="no connection"):
            await store.load(3, PEOPLE)

    with embedded_store(tmp_path, port=port):
        assert await store.commit(generation(2)) == Committed()
        assert await standing_generation(store) == 2
        await store.close()


async def test_a_function_that_was_lost_is_loaded_again(valkey: Valkey, valkey_url: str) -> None:
    async with connected(valkey_url) as store:
        await store.commit(generation(1))
        resp.ask(LOOPBACK, valkey.port, "FUNCTION", "FLUSH", "SYNC")

        # Several at once find it missing.
        outcomes = await asyncio.gather(*(store.commit(generation(2)) for _ in range(5)))

        assert sorted(map(str, outcomes)) == sorted([str(Committed()), *[str(Mismatch(at(2)))] * 4])


async def test_a_function_lost_by_one_node_of_a_cluster_is_loaded_again(valkey_cluster: ValkeyCluster) -> None:
    valkey_cluster.flush()
    streams = [Stream("profiles", "rapport.events", partition) for partition in range(12)]
    async with connected(valkey_cluster.url, cluster=True) as store:
        for number, node in enumerate(valkey_cluster.nodes, start=1):
            resp.ask(LOOPBACK, node.port, "FUNCTION", "FLUSH", "SYNC")
            commits = [store.commit(generation(number, stream=stream)) for stream in streams]
            assert await asyncio.gather(*commits) == [Committed()] * len(streams)

    used = {node.port for node in valkey_cluster.nodes if int(resp.ask(LOOPBACK, node.port, "DBSIZE"))}
    assert used == set(valkey_cluster.ports)


async def test_many_processes_may_connect_to_an_empty_server_at_once(valkey_url: str) -> None:
    stores = await asyncio.gather(*(RedisStore.connect(valkey_url) for _ in range(8)))

    assert await stores[0].commit(generation(1)) == Committed()
    for store in stores:
        await store.close()


async def test_an_older_revision_is_replaced_and_a_newer_one_serves(valkey: Valkey, valkey_url: str) -> None:
    for revision, standing_after in ((0, 1), (7, 7)):
        code = library_code().replace("-- revision 1", f"-- revision {revision}")
        resp.ask(LOOPBACK, valkey.port, "FUNCTION", "LOAD", "REPLACE", code)
        async with connected(valkey_url) as store:
            [library] = await store.client.execute_command("FUNCTION LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
            assert f"-- revision {standing_after}\n".encode() in library[-1]
            expected = Committed() if revision == 0 else Mismatch(at(1))
            assert await store.commit(generation(1)) == expected


async def test_a_library_of_our_name_that_is_not_ours_stops_us(valkey: Valkey, valkey_url: str) -> None:
    strange = f"#!lua name={LIBRARY}\nredis.register_function('{FUNCTION}', function() return 'yes' end)"
    resp.ask(LOOPBACK, valkey.port, "FUNCTION", "LOAD", strange)

    with pytest.raises(ProfileStoreUnfit, match="another library named rapport_v1"):
        await RedisStore.connect(valkey_url)


@pytest.mark.parametrize(
    ("setting", "value", "healthy", "word"),
    [
        ("maxmemory", "1", "0", "is full"),
        ("min-replicas-to-write", "1", "0", "fewer replicas"),
    ],
)
async def test_a_server_that_refuses_writes_is_waited_for(
    own: Valkey, setting: str, value: str, healthy: str, word: str
) -> None:
    async with connected(own.url) as store:
        await store.commit(generation(1))
        resp.ask(LOOPBACK, own.port, "CONFIG", "SET", setting, value)
        with pytest.raises(ProfileStoreUnavailable, match=word):
            await store.commit(generation(2))
        assert await standing_generation(store) == 1

        resp.ask(LOOPBACK, own.port, "CONFIG", "SET", setting, healthy)
        assert await store.commit(generation(2)) == Committed()


async def test_a_node_that_became_a_replica_is_waited_for(own: Valkey) -> None:
    async with connected(own.url) as store:
        await store.commit(generation(1))
        resp.ask(LOOPBACK, own.port, "REPLICAOF", LOOPBACK, str(free_port()))
        with pytest.raises(ProfileStoreUnavailable, match="only reads"):
            await store.commit(generation(2))

        resp.ask(LOOPBACK, own.port, "REPLICAOF", "NO", "ONE")
        assert await store.commit(generation(2)) == Committed()


async def test_a_user_who_may_not_call_functions_is_told_so(own: Valkey) -> None:
    resp.ask(LOOPBACK, own.port, "ACL", "SETUSER", "reader", "on", ">word", "~*", "+@all", "-fcall")
    async with connected(own.url.replace("//", "//reader:word@")) as store:
        with pytest.raises(ProfileStoreUnfit, match="does not permit"):
            await store.commit(generation(1))

    with pytest.raises(ProfileStoreUnfit, match="name or password"):
        await RedisStore.connect(own.url.replace("//", "//reader:wrong@"))


async def test_a_server_that_evicts_is_refused(own: Valkey) -> None:
    resp.ask(LOOPBACK, own.port, "CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")

    with pytest.raises(ProfileStoreUnfit, match="maxmemory-policy allkeys-lru"):
        await RedisStore.connect(own.url)


async def test_a_cluster_and_a_single_server_are_not_taken_for_each_other(
    valkey_url: str, valkey_cluster: ValkeyCluster
) -> None:
    with pytest.raises(ProfileStoreUnfit, match="the store is a cluster and was addressed as a single server"):
        await RedisStore.connect(valkey_cluster.url)
    with pytest.raises(ProfileStoreUnfit, match="the store is a single server and was addressed as a cluster"):
        await RedisStore.connect(valkey_url, cluster=True)


async def test_a_local_socket_serves_as_well(tmp_path: Path) -> None:
    service = store_service(port=free_port(), folder=tmp_path)
    socket = tmp_path / "store.sock"
    with running(replace(service, argv=[*service.argv, "--unixsocket", str(socket)])):
        async with connected(f"unix://{socket}") as store:
            assert await store.commit(generation(1)) == Committed()
            assert await standing_generation(store) == 1


async def test_a_slot_that_moves_to_another_node_is_followed(tmp_path: Path) -> None:
    with store_cluster(tmp_path) as cluster:
        async with connected(cluster.url, cluster=True) as store:
            assert isinstance(store.client, RedisCluster)
            slot = str(store.client.keyslot(checkpoint_key(STREAM)))
            at_first = store.client.nodes_manager.get_node_from_slot(int(slot))
            source, target, _ = sorted(cluster.nodes, key=lambda node: node.port != at_first.port)
            _set_slot(target, slot, "IMPORTING", of=source)
            _set_slot(source, slot, "MIGRATING", of=target)
            # No node serves a call of many keys, some of them new, while they move.
            with pytest.raises(ProfileStoreUnavailable, match="gave no answer"):
                await store.commit(generation(1))

            for node in (target, source):
                _set_slot(node, slot, "NODE", of=target)
            assert await store.commit(generation(1)) == Committed()
            assert await standing_generation(store) == 1
            assert int(resp.ask(LOOPBACK, target.port, "CLUSTER", "COUNTKEYSINSLOT", slot)) == len(PEOPLE) + 2


def _set_slot(node: Valkey, slot: str, state: str, *, of: Valkey) -> None:
    resp.ask(LOOPBACK, node.port, "CLUSTER", "SETSLOT", slot, state, resp.ask(LOOPBACK, of.port, "CLUSTER", "MYID"))
