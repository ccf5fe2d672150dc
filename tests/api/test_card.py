"""Whether somebody is known at all, as a card says it; and what it shows of whom nothing is fulfilled any more."""

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
        ([purchased(identity=PERSON, at=1)], True),
        ([fact("identity.described", identity=PERSON, at=NOW, attributes={"minor": True})], True),
        (linked(PERSON, CARD), True),
        ([fact("identity.described", identity=CARD, at=NOW, attributes={"language": "zh"})], False),
    ],
    ids=[
        "nothing",
        "an order",
        "an order in the first moment of all",
        "their age",
        "another identity",
        "somebody else",
    ],
)
def test_whoever_bought_was_described_or_linked_is_known(told: list[Fact], *, is_known: bool) -> None:
    assert card_of(People(told, held={}).view(PERSON), ref="ref-1", now=NOW).known is is_known


def test_a_card_shows_nothing_of_a_contract_that_has_ended() -> None:
    said = {"language": "zh", "country": "CN"}
    told = [purchased(identity=PERSON), fact("identity.described", identity=PERSON, at=NOW, attributes=said)]
    ended = fact("identity.described", identity=PERSON, at=NOW, event_id="end", attributes={"contract_ended": True})

    before, after = (card_of(People(facts, held={}).view(PERSON), ref="r", now=NOW) for facts in (told, [*told, ended]))

    assert before.service is not None
    assert before.attributes == said
    assert (after.service, after.attributes) == (None, {})
