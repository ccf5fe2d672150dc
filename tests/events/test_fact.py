"""The codec of facts: what is written is read back, and everything else is refused by name."""

import pytest
from hypothesis import given, settings

from events.fact import Fact, decode_fact, encode_fact
from events.vocabulary import BODIES
from tests.builders import facts


@pytest.mark.parametrize("event_type", sorted(BODIES))
def test_every_type_of_fact_is_read_back_as_it_was_written(event_type: str) -> None:
    @settings(max_examples=30)
    @given(facts(event_type))
    def round_trip(fact: Fact) -> None:
        assert decode_fact(encode_fact(fact)) == fact

    round_trip()
