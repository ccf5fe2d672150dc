"""What the rights of a person do to a facet: erased, it is a tombstone; refolded, it is as if a fact had never been.

Both are facts like others, folded at their place on the log by the owner of the facet, so a replay does them again.
"""

import base64
from collections.abc import Sequence
from typing import Final

from events.acts import Erased, Refolded
from events.fact import Fact
from profiles.codec import FacetUnreadable, decode_facet, encode_facet
from profiles.facet import ENTRY_BYTES, Attribute, AttributeSection, Cell, Facet

TOMBSTONE: Final = "erased"
"""The attribute, kept for `legal.records`, that an erased facet is left with; no door admits it from outside."""


def tombstone(fact: Fact) -> Facet:
    """All that is left of an identity: that it was erased, and when that was received (ms)."""
    # A value that stands for nothing: it restricts nobody who comes back.
    mark = Attribute(stated=Cell(fact.received_at, fact.event_key, value=False))
    return Facet(recent=fact.event_key + fact.digest, legal=AttributeSection(attributes={TOMBSTONE: mark}))


def erased_at(facet: Facet) -> int | None:
    """When the erasure was received (ms); None where there was none."""
    mark = facet.legal.attributes.get(TOMBSTONE)
    return None if mark is None or mark.stated is None else mark.stated.at


def is_forgotten(facet: Facet, fact: Fact) -> bool:
    """Tell whether the fact was heard of before the erasure: a repeat of it must not bring anything back."""
    at = erased_at(facet)
    return at is not None and fact.received_at <= at


def replacement(facet: Facet, body: Refolded) -> Facet | None:
    """The facet that the body carries; None where it was made without a fact that this one knows.

    FacetUnreadable where it cannot be read.
    """
    try:
        anew = decode_facet(base64.b64decode(body.facet, validate=True))
    except ValueError as error:  # not base64, or not even ASCII
        raise FacetUnreadable("the facet that was folded anew cannot be read") from error
    return anew if entries(facet.recent) <= entries(anew.recent) else None


def refolding(*, request_id: str, without: Sequence[bytes], facet: Facet) -> Refolded:
    """The body that puts a facet, folded anew without the facts of these event keys, in place of the one that stands.

    The facet's `recent` must name every fact it was made of, and those left out.
    """
    blob = base64.b64encode(encode_facet(facet)).decode()
    return Refolded(request_id=request_id, without=tuple(key.hex() for key in without), facet=blob)


def erasure(request_id: str) -> Erased:
    """The body that leaves a tombstone."""
    return Erased(request_id=request_id)


def entries(recent: bytes) -> set[bytes]:
    """What a facet knows of its last facts: event key and digest of each."""
    return {recent[at : at + ENTRY_BYTES] for at in range(0, len(recent), ENTRY_BYTES)}
