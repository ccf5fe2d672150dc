"""A facet that is packed between two facts is the facet that would have been kept open."""

import random
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from events.fact import Fact
from profiles.codec import decode_facet
from profiles.facet import Facet
from profiles.fold import fold
from profiles.joining import STEP_MS
from profiles.packed import pack, unpack
from tests.builders import NOW, facts, purchased

ME: Final = "app:42"


@given(st.lists(facts(identity=ME), max_size=12), st.randoms(use_true_random=False))
def test_a_facet_packed_between_facts_ends_as_one_that_stays_open(told: list[Fact], chance: random.Random) -> None:
    kept = packed = Facet()
    for fact in told:
        kept, fate = fold(kept, fact)
        packed, fate_of_packed = fold(unpack(pack(packed)) if chance.random() < 0.7 else packed, fact)
        assert fate_of_packed == fate
    assert pack(packed) == pack(kept)
    assert decode_facet(pack(packed)) == kept


def test_a_packed_record_that_is_too_old_is_trimmed_like_an_open_one() -> None:
    kept, packed = Facet(), pack(Facet())
    for number in range(12):
        fact = purchased(f"order-{number}", at=NOW + number * STEP_MS)
        kept = fold(kept, fact).facet
        packed = pack(fold(unpack(packed), fact).facet)
    assert 0 < len(kept.service.orders) < 12
    assert decode_facet(packed) == kept


def test_only_the_record_a_fact_is_about_is_opened() -> None:
    facet = Facet()
    for number in range(3):
        facet = fold(facet, purchased(f"order-{number}")).facet
    orders = fold(unpack(pack(facet)), purchased("order-2", at=NOW + 1)).facet.service.orders
    assert [isinstance(order, msgspec.Raw) for order in orders.values()] == [True, True, False]
