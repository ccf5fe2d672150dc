"""Facets as bytes: a format byte-compatible across versions, older blobs are lifted when read."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from profiles.facet import FACET_FORMAT, Facet

Lifts = Mapping[int, Callable[[list[Any]], list[Any]]]
"""Format -> the step that turns the decoded array of that format into the next one."""

LIFTS: Final[Lifts] = {}


class FacetUnreadable(ValueError):
    """The blob is not a facet this program can read; nothing may be decided or written over it."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Facet)


def encode_facet(facet: Facet) -> bytes:
    """MessagePack of the facet."""
    return _encoder.encode(facet)


def decode_facet(blob: bytes, *, lifts: Lifts = LIFTS) -> Facet:
    """The facet of a blob in this or an older format; FacetUnreadable otherwise."""
    if len(blob) < 2:
        # An empty array would be read as a facet of defaults alone, as if the person were unknown.
        raise FacetUnreadable("the stored facet is empty")
    try:
        facet = _decoder.decode(blob)
    except msgspec.MsgspecError as error:
        lifted = _lift(blob, lifts)
        if lifted is None:
            raise FacetUnreadable("the stored facet cannot be read") from error
        return lifted
    if facet.format != FACET_FORMAT:
        lifted = _lift(blob, lifts)
        if lifted is None:
            raise FacetUnreadable(f"facet format {facet.format} is not known")
        return lifted
    return facet


def _lift(blob: bytes, lifts: Lifts) -> Facet | None:
    try:
        fields = msgspec.msgpack.decode(blob, type=list[Any])
        version = fields[0] if fields else None
        if not isinstance(version, int) or version not in lifts:
            return None
        while version < FACET_FORMAT:
            fields = lifts[version](fields)
            version = fields[0]
        return msgspec.convert(fields, Facet)
    except (msgspec.MsgspecError, KeyError, IndexError, TypeError, ValueError):
        return None
