"""Free ports on the loopback interface."""

import contextlib
import socket
import sys
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A loopback port nobody listens on now; take it soon, since another process may."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """`count` different free loopback ports, held open together so that none is given twice."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextlib.contextmanager
def held_port(host: str, port: int) -> Iterator[None]:
    """Keep a port from being given to others until the server it is meant for listens there; OSError when it is taken.

    Elsewhere than on Linux that server could not bind it beside us, so it is only looked whether it is free.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, port))
        if sys.platform != "linux":
            held.close()
        yield
