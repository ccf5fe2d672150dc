"""Tokens for reading one's own writes: the positions of what was accepted, as a word handed back in `after=`."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from events.position import Position

TOKEN_CHARACTERS_MAX: Final = 4096
_VERSION: Final = 1
_CHECK_BYTES: Final = 4


class TokenInvalid(ValueError):
    """The text is not a token this program made."""


class _Wire(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    version: int
    positions: tuple[tuple[int, int, int], ...]


_decoder = msgspec.msgpack.Decoder(_Wire)


def encode_token(positions: Iterable[Position]) -> str:
    """URL-safe text that names the furthest position in each partition; opaque to whoever carries it."""
    furthest: dict[tuple[int, int], int] = {}
    for epoch, partition, offset in positions:
        furthest[epoch, partition] = max(offset, furthest.get((epoch, partition), offset))
    triples = tuple((epoch, partition, offset) for (epoch, partition), offset in sorted(furthest.items()))
    content = msgspec.msgpack.encode(_Wire(version=_VERSION, positions=triples))
    return base64.urlsafe_b64encode(_check(content) + content).decode().rstrip("=")


def decode_token(token: str) -> tuple[Position, ...]:
    """The positions to wait for, at most one for each epoch and partition; TokenInvalid for anything else."""
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise TokenInvalid("the token is too long")
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, content = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if check != _check(content):
            raise TokenInvalid("the token is damaged")
        wire = _decoder.decode(content)
    except (UnicodeEncodeError, binascii.Error, msgspec.MsgspecError) as error:
        raise TokenInvalid("the token is not one of ours") from error
    if wire.version != _VERSION:
        raise TokenInvalid(f"token version {wire.version} is not known")
    return tuple(Position(*triple) for triple in wire.positions)


def reached(token: Iterable[Position], ends: Mapping[int, tuple[int, int]]) -> bool:
    """Tell whether everything a token names is folded.

    `ends` gives the epoch and the next offset of each partition's checkpoint. A later epoch lies behind every position
    of an earlier one.
    """
    return all((position.epoch, position.offset) < ends.get(position.partition, (0, 0)) for position in token)


def _check(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECK_BYTES).digest()
