"""The few words of the Redis protocol that are needed to see whether a store answers, without a client library."""

import socket
from io import BufferedReader

_TIMEOUT_S = 5.0


class StoreSaidNo(Exception):
    """The store answered with an error."""


def ask(host: str, port: int, *words: str) -> str:
    """Send one command and return the answer as text (simple string, integer or bulk string; an absent one is "").

    Raises OSError when nobody answers and StoreSaidNo when the answer is an error.
    """
    with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
        connection.sendall(_encode(words))
        with connection.makefile("rb") as answer:
            return _decode(answer)


def answers(host: str, port: int) -> bool:
    """Whether a store there takes commands: it listens and has read its data."""
    try:
        return ask(host, port, "PING") == "PONG"
    except (OSError, StoreSaidNo):
        return False


def _encode(words: tuple[str, ...]) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        raw = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(parts)


def _decode(answer: BufferedReader) -> str:
    line = answer.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionResetError("the store closed the connection")
    kind, rest = line[:1], line[1:-2].decode()
    match kind:
        case b"+" | b":":
            return rest
        case b"$":
            size = int(rest)
            return "" if size < 0 else answer.read(size + 2)[:-2].decode()
        case b"-":
            raise StoreSaidNo(rest)
        case _:
            raise StoreSaidNo(f"an answer of another kind than asked for: {line[:40]!r}")
