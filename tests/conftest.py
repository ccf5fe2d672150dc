"""Fixtures for every room. Servers are started when the first test asks for one, and only then."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from commands.garbage import look_for_garbage_rarely
from embedded.ports import LOOPBACK
from streams.admin import is_embedded, wait_for_broker
from tests import servers
from tests.servers import Valkey, ValkeyCluster
from tests.sharing import Sharing, place_of

# Nothing here is timed: the machine may be busy with other tests.
settings.register_profile("rapport", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For `make check`: few examples, and the same in every run.
settings.register_profile("quick", settings.get_profile("rapport"), max_examples=15, derandomize=True)
settings.load_profile("rapport")

SERVERS = {"kafka", "apache_kafka", "valkey", "valkey_url", "valkey_cluster"}
SERVERS_S = 900
"""How long such a test may take, with the start of what it asks for: longer than any of its own deadlines."""
NEARBY = {LOOPBACK, "::1", "localhost", "0.0.0.0", "::"}  # noqa: S104 - what a test may connect to
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder of this user's own in there
MEMORY_WANTED = 4 << 30
"""Bytes that are to be free there: far more than the tests leave lying at any time."""


def _keep_files_in_memory() -> None:
    """Nothing the tests write is to outlive the machine, and waiting for its disk took a third of their time.

    A folder that TMPDIR names is used instead, and the usual one where there is no room, or no program may be started.
    """
    if "TMPDIR" in os.environ or not IN_MEMORY.is_dir() or os.statvfs(IN_MEMORY).f_flag & os.ST_NOEXEC:
        return
    if shutil.disk_usage(IN_MEMORY).free >= MEMORY_WANTED:
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


_keep_files_in_memory()


def _refuse_far_connections(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in NEARBY:
        raise RuntimeError(f"a test may talk to this machine only, not to {args[1][0]}")


sys.addaudithook(_refuse_far_connections)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that asks for a server is marked `servers`, before -m chooses, and has time for many of its waits."""
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)
        if item.get_closest_marker("servers") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SERVERS_S))
    if hasattr(config, "workerinput"):  # one of several processes
        items.sort(key=lambda item: place_of(item.nodeid))


def pytest_collection_finish() -> None:
    """All that was imported stays: walking over it again and again took a fifth of the tests' time."""
    look_for_garbage_rarely()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Several processes share the tests by groups, in the order of `items`."""
    config.option.loadscopereorder = False
    return Sharing(config, log)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker: RAPPORT_KAFKA, or an embedded one. Topics are shared: name yours for yourself."""
    if address := os.environ.get("RAPPORT_KAFKA"):
        yield address
        return
    with servers.embedded_broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Apache Kafka node: what RAPPORT_KAFKA names, if it is one, or one from Maven packages."""
    address = os.environ.get("RAPPORT_KAFKA")
    if address and not is_embedded(wait_for_broker(address.split(","))):
        yield address
        return
    if wants := servers.apache_kafka_wants():
        pytest.skip(f"{wants}; or set RAPPORT_KAFKA to the address of one that runs")
    with servers.apache_kafka(tmp_path_factory.mktemp("apache-kafka")) as address:
        yield address


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A store that runs for the whole session; ask for `valkey_url` to find it empty."""
    with servers.embedded_store(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def valkey_url(valkey: Valkey) -> str:
    """The address of an empty store."""
    valkey.flush()
    return valkey.url


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    """Three primaries that hold all slots; `flush()` empties them."""
    with servers.store_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def olist() -> Path:
    """The folder of the Olist files, under REAL_DATA or in `../shared/datasets`."""
    named = os.environ.get("REAL_DATA")
    folder = Path(named or servers.ROOT.parent / "shared" / "datasets") / "olist"
    if not (folder / "orders.csv.gz").exists():
        pytest.skip("the Olist files are not here; set REAL_DATA to the folder that holds olist/")
    return folder
