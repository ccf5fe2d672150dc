"""The proxy in front of an echoing server: each way it can misbehave."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from embedded.ports import LOOPBACK
from tests.chaos.proxy import CLEAR, Proxies, Proxy, Weather
from tests.waiting import HANGS_S, until


class HoldsAnswers:
    """A tap that remembers what was asked, and keeps the answers while it is told to."""

    def __init__(self) -> None:
        self.asked_for: list[bytes] = []
        self.gone: list[int] = []
        self.keeps = False

    def asked(self, link: int, data: bytes) -> bool:
        self.asked_for.append(data)
        return False

    def answered(self, link: int, data: bytes) -> bool:
        return self.keeps

    def closed(self, link: int) -> None:
        self.gone.append(link)


def echo(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_echo_one, args=(connection,), daemon=True).start()


def _echo_one(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(65536):
            connection.sendall(data)


@pytest.fixture
def server() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listening:
        threading.Thread(target=echo, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]


@pytest.fixture
def tap() -> HoldsAnswers:
    return HoldsAnswers()


@pytest.fixture
def proxy(server: int, tap: HoldsAnswers) -> Iterator[Proxy]:
    with Proxies() as proxies:
        yield proxies.open(target=server, tap=tap)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connect(proxy) as connection:
        yield connection


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((LOOPBACK, proxy.port), timeout=HANGS_S)


def answer(client: socket.socket, *, size: int, within_s: float = HANGS_S) -> bytes:
    client.settimeout(within_s)
    found = b""
    while len(found) < size:
        piece = client.recv(65536)
        if not piece:
            break
        found += piece
    return found


def test_bytes_go_through_whole_in_clear_weather(client: socket.socket) -> None:
    said = bytes(range(256)) * 4_000
    threading.Thread(target=client.sendall, args=(said,), daemon=True).start()

    assert answer(client, size=len(said)) == said


def test_a_delay_is_waited_out_each_way(proxy: Proxy, client: socket.socket) -> None:
    proxy.turn(Weather(delay_s=0.1))
    began = time.monotonic()
    client.sendall(b"hello")

    assert answer(client, size=5) == b"hello"
    assert time.monotonic() - began >= 0.2  # a busy machine makes it longer only


def test_a_dribble_comes_in_small_pieces_and_in_order(proxy: Proxy, client: socket.socket) -> None:
    said = bytes(range(250)) * 8
    proxy.turn(Weather(delay_s=0.01, piece=100))
    began = time.monotonic()
    client.sendall(said)

    assert answer(client, size=len(said)) == said
    assert time.monotonic() - began >= len(said) / 100 * 0.01  # a delay for each piece


def test_silence_lets_nothing_through_until_it_ends(proxy: Proxy, client: socket.socket) -> None:
    proxy.turn(Weather(silent=True))
    client.sendall(b"hello")
    with pytest.raises(TimeoutError):
        answer(client, size=5, within_s=0.2)

    proxy.turn(CLEAR)

    assert answer(client, size=5) == b"hello"


def test_a_cut_resets_every_connection_and_takes_new_ones(proxy: Proxy, client: socket.socket) -> None:
    client.sendall(b"hello")
    answer(client, size=5)

    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        client.recv(10)
    with connect(proxy) as another:
        another.sendall(b"again")
        assert answer(another, size=5) == b"again"


def test_a_client_is_not_told_that_the_far_end_is_lost(proxy: Proxy, client: socket.socket, tap: HoldsAnswers) -> None:
    client.sendall(b"hello")
    answer(client, size=5)

    assert proxy.lose_far_end() == 1
    client.sendall(b"anyone?")
    with pytest.raises(TimeoutError):
        answer(client, size=1, within_s=0.2)
    assert tap.asked_for == [b"hello"]
    with connect(proxy) as another:
        another.sendall(b"again")
        assert answer(another, size=5) == b"again"


def test_what_is_held_never_arrives(proxy: Proxy, client: socket.socket, tap: HoldsAnswers) -> None:
    tap.keeps = True
    client.sendall(b"hello")
    until(lambda: tap.asked_for, what="the question")
    with pytest.raises(TimeoutError):
        answer(client, size=5, within_s=0.2)

    proxy.cut()

    until(lambda: tap.gone, what="the end of the link")
    with pytest.raises(ConnectionResetError):
        client.recv(10)


def test_nobody_is_taken_where_the_server_is_gone(server: int) -> None:
    with Proxies() as proxies:
        [free] = [socket.create_server((LOOPBACK, 0))]
        target = free.getsockname()[1]
        free.close()
        # The reset comes while the client connects or once it reads.
        with pytest.raises(ConnectionResetError), connect(proxies.open(target=target)) as client:
            client.recv(10)
