"""What we make of a server before and when it refuses: no server is needed to say so."""

import asyncio
from typing import Any

import pytest
from redis import exceptions as client_says

from embedded.ports import free_port
from profiles.redis_faults import fault, faults, is_missing_function
from profiles.redis_library import LIBRARY, deed, library_code, unfitness
from profiles.redis_store import RedisStore, redis_client
from profiles.store import ProfileStoreError, ProfileStoreUnavailable, ProfileStoreUnfit

WAIT, STOP = ProfileStoreUnavailable, ProfileStoreUnfit


@pytest.mark.parametrize(
    ("error", "fate", "word"),
    [
        (client_says.ConnectionError("Connection closed by server."), WAIT, "no connection"),
        (ConnectionResetError(104, "reset by peer"), WAIT, "no connection"),
        (FileNotFoundError(2, "no such socket"), WAIT, "no connection"),
        (client_says.TimeoutError("Timeout reading from socket"), WAIT, "did not answer in time"),
        (client_says.MaxConnectionsError("Too many connections"), WAIT, "connections to the store are in use"),
        (client_says.BusyLoadingError("server is loading the dataset in memory"), WAIT, "still reading its data"),
        (client_says.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), WAIT, "is full"),
        (client_says.ReadOnlyError("You can't write against a read only replica."), WAIT, "only reads"),
        (client_says.ResponseError("MISCONF Errors writing to the AOF file: no space"), WAIT, "write to its disk"),
        (client_says.ResponseError("NOREPLICAS Not enough good replicas to write."), WAIT, "fewer replicas"),
        (client_says.ResponseError("BUSY The server is busy running a script."), WAIT, "busy with a script"),
        (client_says.ClusterDownError("The cluster is down"), WAIT, "cluster is down"),
        (client_says.MasterDownError("Link with MASTER is down"), WAIT, "cluster is down"),
        (client_says.TryAgainError("Multiple keys request during rehashing of slot"), WAIT, "slot is being moved"),
        (client_says.SlotNotCoveredError("Slot 3 not covered"), WAIT, "no node of the cluster"),
        (client_says.ClusterError("TTL exhausted."), WAIT, "gave no answer"),
        (client_says.RedisClusterException("Redis Cluster cannot be connected."), WAIT, "cannot be reached"),
        (client_says.RedisClusterException("Cluster mode is not enabled on this node"), STOP, "is a single server"),
        (client_says.MovedError("3999 127.0.0.1:6381"), STOP, "is a cluster"),
        (client_says.ClusterCrossSlotError("Keys in request don't hash to the same slot"), STOP, "several slots"),
        (client_says.AuthenticationError("invalid username-password pair"), STOP, "name or password"),
        (client_says.NoPermissionError("User has no permissions to run 'fcall'"), STOP, "does not permit"),
        (client_says.ResponseError("WRONGTYPE Operation against a key"), STOP, "holds something else"),
        (client_says.ResponseError("The ID specified in XADD is equal or smaller than"), STOP, "empty the outbox"),
        (client_says.ResponseError("unknown command 'FCALL'"), STOP, "answered with an error"),
        (client_says.InvalidResponse("Protocol Error: b'HTTP/1.1 400'"), STOP, "answered with an error"),
        (client_says.DataError("Invalid input of type"), STOP, "answered with an error"),
    ],
)
def test_every_error_of_the_client_has_a_fate(error: Exception, fate: type[ProfileStoreError], word: str) -> None:
    ours = fault(error)

    assert type(ours) is fate
    assert word in str(ours)


def test_what_the_server_quotes_is_not_passed_on() -> None:
    said = client_says.ResponseError("unknown command 'FCALL', with args beginning with: 'app:mary' 'secret'")

    with pytest.raises(ProfileStoreUnfit) as caught, faults():
        raise said

    assert "mary" not in str(caught.value)
    assert caught.value.__cause__ is said


@pytest.mark.parametrize("error", [KeyError("a mistake of ours"), asyncio.CancelledError()])
def test_what_is_not_the_store_s_doing_stays_what_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)), faults():
        raise error


def test_a_missing_function_is_told_from_other_errors() -> None:
    assert is_missing_function(client_says.ResponseError("Function not found"))
    assert not is_missing_function(client_says.ResponseError("WRONGTYPE Function"))
    assert not is_missing_function(client_says.ConnectionError("Function not found"))


@pytest.mark.parametrize(
    ("info", "cluster", "word"),
    [
        ({"redis_version": "7.2.0"}, False, None),
        ({"redis_version": "8.4.1", "cluster_enabled": 1}, True, None),
        ({"redis_version": "10.0"}, False, None),
        # Valkey calls itself Redis 7.2.4 for the sake of older clients.
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, False, None),
        ({"redis_version": "7.2.4", "valkey_version": "7.1.0"}, False, "Valkey 7.1.0 is too old: 7.2"),
        ({"redis_version": "7.0.15"}, False, "Redis 7.0.15 is too old: 7.2 or newer"),
        ({"redis_version": "255"}, False, None),
        ({"redis_version": "unstable"}, False, "too old"),
        ({}, False, "of unknown version"),
        ({"redis_version": "7.2.0", "cluster_enabled": 1}, False, "is a cluster and was addressed as a single server"),
        ({"redis_version": "7.2.0"}, True, "is a single server and was addressed as a cluster"),
        ({"redis_version": "7.2.0", "maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, False, None),
        ({"redis_version": "7.2.0", "maxmemory": 10, "maxmemory_policy": "noeviction"}, False, None),
        ({"redis_version": "7.2.0", "maxmemory": 10, "maxmemory_policy": "allkeys-lru"}, False, "allkeys-lru"),
    ],
)
def test_a_server_that_cannot_hold_profiles_is_told_why(
    info: dict[str, Any], *, cluster: bool, word: str | None
) -> None:
    reason = unfitness(info, cluster=cluster)

    assert reason is None if word is None else word in str(reason)


def revised(number: int, body: str = "") -> str:
    return f"#!lua name={LIBRARY}\n-- revision {number}\n{body}"


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (None, "load"),
        (revised(2), "keep"),
        (revised(1), "replace"),
        (revised(3), "keep"),
        (revised(10), "keep"),
    ],
)
def test_a_newer_revision_is_left_alone_and_an_older_one_replaced(standing: str | None, expected: str) -> None:
    assert deed(standing=standing, ours=revised(2)) == expected


@pytest.mark.parametrize("standing", [revised(2, "redis.call('FLUSHALL')"), "#!lua name=rapport_v1\n"])
def test_a_library_of_our_name_that_is_not_ours_is_not_touched(standing: str) -> None:
    with pytest.raises(ProfileStoreUnfit, match="another library named rapport_v1"):
        deed(standing=standing, ours=revised(2))


def test_our_library_has_a_revision_and_keeps_itself() -> None:
    assert library_code().splitlines()[:2] == ["#!lua name=rapport_v1", "-- revision 1"]
    assert deed(standing=library_code(), ours=library_code()) == "keep"


def test_the_library_stays_small_enough_to_be_read_at_a_glance() -> None:
    written = [line for line in library_code().splitlines() if line and not line.startswith("--")]

    assert len(written) <= 20


async def test_an_address_of_no_store_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="must specify one of the following schemes"):
        redis_client("http://localhost", cluster=False)


@pytest.mark.parametrize("cluster", [False, True])
async def test_nobody_there_is_unavailable(*, cluster: bool) -> None:
    with pytest.raises(ProfileStoreUnavailable):
        await RedisStore.connect(f"redis://127.0.0.1:{free_port()}", cluster=cluster)
