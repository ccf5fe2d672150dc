"""A facet folded anew from an identity's facts, as if some of them had never been."""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from events.acts import Refolded
from events.fact import Fact
from profiles.facet import Facet
from profiles.fold import fold


def refolded(facts: Sequence[Fact], *, without: Collection[bytes]) -> Facet:
    """What all facts of an identity but those of these event keys amount to; it knows the others' keys as well.

    `facts` in the order of the log. What was left out before stays out: an earlier facet that was folded anew holds
    what is left out now.
    """
    left_out = {*without, *(bytes.fromhex(key) for body in _refoldings(facts) for key in body.without)}
    whole, kept = Facet(), Facet()
    for fact in facts:
        whole = fold(whole, fact).facet
        if fact.event_key not in left_out and not isinstance(fact.body, Refolded):
            kept = fold(kept, fact).facet
    return replace(kept, recent=whole.recent)


def _refoldings(facts: Sequence[Fact]) -> list[Refolded]:
    return [fact.body for fact in facts if isinstance(fact.body, Refolded)]
