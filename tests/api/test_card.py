"""Whether somebody is known at all, as a card says it."""

import pytest

from api.card import card_of
from events.fact import Fact
from tests.builders import NOW, fact, linked, purchased
from tests.noninterference.people import People
from tests.noninterference.refusals import CARD, PERSON


@pytest.mark.parametrize(
    ("told", "is_known"),
    [
        ([], False),
        ([purchased(identity=PERSON)], True),
        ([fact("identity.described", identity=PERSON, at=NOW, attributes={"minor": True})], True),
        (linked(PERSON, CARD), True),
        ([fact("identity.described", identity=CARD, at=NOW, attributes={"language": "zh"})], False),
    ],
    ids=["nothing", "an order", "their age", "another identity", "somebody else"],
)
def test_whoever_bought_was_described_or_linked_is_known(told: list[Fact], *, is_known: bool) -> None:
    assert card_of(People(told, held={}).view(PERSON), ref="ref-1", now=NOW).known is is_known
