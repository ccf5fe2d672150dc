"""Facets as bytes: the format stands first; older blobs are lifted when read, newer ones refused.

Format 1 was the bare MessagePack array; since format 2 the array is compressed (`profiles.compression`). Format 3 knows
of a no who said it and how, where there was a mark of withdrawal before.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from profiles.compression import DictionaryUnknown, NotCompressed, compress, decompress, is_frame
from profiles.facet import FACET_FORMAT, Facet
from profiles.packed import Packed, pack
from profiles.store import BLOBS_MAX, CommitTooHeavy

Lifts = Mapping[int, Callable[[list[Any]], list[Any]]]
"""Format -> the step that turns the decoded array of that format into the next one."""


def _with_causes(fields: list[Any]) -> list[Any]:
    lifted = [3, *fields[1:]]
    if len(lifted) > 2:
        lifted[2] = {purpose: _with_cause(*state) for purpose, state in lifted[2].items()}
    return lifted


def _with_cause(grants: Any = (), no: Any = None, *rest: Any) -> list[Any]:
    return [grants, None if no is None else [*no[:3], int(no[3])], *rest]


LIFTS: Final[Lifts] = {1: lambda fields: [2, *fields[1:]], 2: _with_causes}


class FacetUnreadable(ValueError):
    """The blob is not a facet this program can read; nothing may be decided or written over it."""


_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_decoder = msgspec.msgpack.Decoder(Facet)


def encode_facet(facet: Facet | Packed) -> bytes:
    """The facet as a compressed MessagePack array.

    The bytes may differ between releases of the compressor: compare facets, never blobs.
    """
    return compress(pack(facet))


def encode_facets(facets: Iterable[Facet | Packed], *, bytes_max: int = BLOBS_MAX) -> list[bytes]:
    """The facets of one commit; CommitTooHeavy as soon as several weigh more than `bytes_max` together."""
    blobs: list[bytes] = []
    weight = 0
    for facet in facets:
        blob = encode_facet(facet)
        weight += len(blob)
        if weight > bytes_max and blobs:
            raise CommitTooHeavy(f"{len(blobs) + 1} facets weigh more than {bytes_max} bytes")
        blobs.append(blob)
    return blobs


def decode_facet(blob: bytes, *, lifts: Lifts = LIFTS) -> Facet:
    """The facet of a blob in this or an older format; FacetUnreadable otherwise, a newer program's blob included.

    Fields that this program does not know are never dropped in silence: it could not write them back.
    """
    array = _unpacked(blob) if is_frame(blob) else blob
    if len(array) < 2:
        # An empty array would be read as a facet of defaults alone, as if the person were unknown.
        raise FacetUnreadable("the stored facet is empty")
    try:
        facet = _decoder.decode(array)
    except _UNREADABLE:
        return _lifted(array, lifts)
    return facet if facet.format == FACET_FORMAT else _lifted(array, lifts)


def _unpacked(blob: bytes) -> bytes:
    try:
        return decompress(blob)
    except DictionaryUnknown as error:
        raise FacetUnreadable(_unknown(error.found)) from error
    except NotCompressed as error:
        raise FacetUnreadable("the stored facet cannot be read") from error


def _unknown(version: int) -> str:
    return f"facet format {version} is not known, this program writes {FACET_FORMAT}"


def _lifted(array: bytes, lifts: Lifts) -> Facet:
    try:
        fields = msgspec.msgpack.decode(array, type=list[Any])
    except _UNREADABLE as error:
        raise FacetUnreadable("the stored facet cannot be read") from error
    version = fields[0] if fields else None
    if type(version) is not int or version == FACET_FORMAT:
        raise FacetUnreadable("the stored facet cannot be read")
    if version not in lifts:
        raise FacetUnreadable(_unknown(version))
    try:
        while version < FACET_FORMAT:
            fields = lifts[version](fields)
            version = fields[0]
        return msgspec.convert(fields, Facet)
    except (*_UNREADABLE, KeyError, IndexError, TypeError, ValueError) as error:
        raise FacetUnreadable("the stored facet cannot be lifted") from error
