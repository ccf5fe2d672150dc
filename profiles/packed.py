"""Facets between two batches: one piece of bytes each, opened no further than a fact needs.

A facet that is held as objects lies scattered over memory, and walking through them to write it out takes ten times as
long as for one that was just read. So an owner holds bytes. Opened, the records of the service section, of which there
may be thousands, stay bytes each until a fact is about them; written out again, they are copied as they are.
"""

from functools import cache
from typing import Any, Final, NewType, TypeVar, get_args, get_type_hints

import msgspec

from profiles.facet import Facet, Section, ServiceSection

Packed = NewType("Packed", bytes)
"""A facet as a MessagePack array."""

R = TypeVar("R", bound=msgspec.Struct)
S = TypeVar("S", bound=Section)

_KINDS: Final[dict[str, type[msgspec.Struct]]] = {
    kind: get_args(hint)[1] for kind, hint in get_type_hints(ServiceSection).items() if kind != "latest_at"
}
"""Kind -> its records, in the service section."""


def _as(base: type[Any], name: str, **fields: Any) -> type[Any]:
    """The same array with other types in these fields."""
    redefined: list[Any] = [(field, kind, msgspec.field(default_factory=dict)) for field, kind in fields.items()]
    return msgspec.defstruct(
        name, redefined, bases=(base,), frozen=True, array_like=True, gc=False, forbid_unknown_fields=True
    )


_Section: Final = _as(ServiceSection, "_Section", **dict.fromkeys(_KINDS, dict[str, msgspec.Raw]))
_Facet: Final = _as(Facet, "_Facet", service=_Section)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Facet)


def pack(facet: Facet | Packed) -> Packed:
    """The facet as bytes, be its records opened or not."""
    return Packed(_encoder.encode(facet)) if isinstance(facet, Facet) else facet


def unpack(packed: Facet | Packed) -> Facet:
    """A facet for `fold`, `pack` and nothing else: records of its service section may be bytes, see `opened`."""
    if isinstance(packed, Facet):
        return packed
    facet: Facet = _decoder.decode(packed)
    return facet


def opened(record: R | msgspec.Raw, kind: type[R]) -> R:
    """The record itself."""
    return _decoder_of(kind).decode(record) if isinstance(record, msgspec.Raw) else record


def opened_section(section: S) -> S:
    """The section with every record opened."""
    if not isinstance(section, _Section):
        return section
    kinds = {
        name: {record_id: opened(record, kind) for record_id, record in getattr(section, name).items()}
        for name, kind in _KINDS.items()
    }
    return msgspec.structs.replace(section, **kinds)


@cache
def _decoder_of(kind: type[R]) -> msgspec.msgpack.Decoder[R]:
    return msgspec.msgpack.Decoder(kind)
