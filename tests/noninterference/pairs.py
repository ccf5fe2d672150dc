"""Pairs of worlds that differ only in what one person did and may not be used, and what each answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec
from msgspec.structs import replace

from api.card import card_of
from consent.purposes import PURPOSES, SUGGEST
from events.fact import Fact
from profiles.view import PersonView
from recommender.reading import input_of, restraints_of
from recommender.receipts import Made, Question, Receipts
from tests.builders import NOW
from tests.noninterference.artifacts import CLOSABLE
from tests.noninterference.crowd import CATALOGUE, model
from tests.noninterference.histories import drawn_fact, history, moment, private_facts, restraining, retold
from tests.noninterference.people import People
from tests.noninterference.refusals import NEIGHBOUR, PERSON, TIES, Common, Tie, agreed, closing, common, tied
from tests.recommender.worlds import KEY

CHANNELS: Final = (None, "desk", "app", "store")
Answers = Mapping[str, bytes]
"""What came out, by the channel it could have leaked through."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two worlds; `difference` says in what the two histories differ, `tries` how often a pair was drawn for it."""

    shared: Common
    difference: str
    tie: Tie
    one: People
    other: People
    tries: int


def drawn_pair(chance: Random, *, purpose: str = SUGGEST, shared_facts: Sequence[Fact] = ()) -> Pair:
    """A pair whose deny-only facts agree; others are drawn again, since those may remove a suggestion.

    The purpose is refused to the person; `shared_facts` stand in both worlds.
    """
    tries = 0
    while True:
        tries += 1
        made = _drawn(chance, tries, purpose=purpose, shared_facts=shared_facts)
        if all(_restraints(made.one, each) == _restraints(made.other, each) for each in (PERSON, NEIGHBOUR)):
            return made


def _restraints(people: People, identity: str) -> object:
    return restraints_of(people.view(identity), catalogue=CATALOGUE, now=NOW)


def _drawn(chance: Random, tries: int, *, purpose: str, shared_facts: Sequence[Fact]) -> Pair:
    shared, tie = common(chance, purpose=purpose), chance.choice(TIES)
    neighbour = (*agreed(SUGGEST, identity=NEIGHBOUR), *history(chance, NEIGHBOUR, longest=4))
    around = (*tied(tie), *neighbour, *restraining(chance, PERSON), *shared_facts)
    told = [each for identity in shared.identities for each in history(chance, identity)]
    difference = chance.choice(sorted(DIFFERENCES))
    changed = DIFFERENCES[difference](chance, told)
    worlds = (People(_world(chance, shared, around, private), held=shared.held) for private in (told, changed))
    return Pair(shared=shared, difference=difference, tie=tie, one=next(worlds), other=next(worlds), tries=tries)


def _world(chance: Random, shared: Common, around: Sequence[Fact], private: Sequence[Fact]) -> list[Fact]:
    """What both worlds share keeps its order; what differs falls in between by chance."""
    facts = [*shared.before, *around, *shared.after]
    for each in private:
        facts.insert(chance.randrange(len(facts) + 1), each)
    return facts


def _other_content(chance: Random, told: list[Fact]) -> list[Fact]:
    return [
        replace(drawn_fact(chance, each.identity), event_key=each.event_key, occurred_at=each.occurred_at)
        for each in told
    ]


def _fewer(chance: Random, told: list[Fact]) -> list[Fact]:
    return [each for each in told if chance.random() < 0.5]


def _other_order(chance: Random, told: list[Fact]) -> list[Fact]:
    return [*chance.sample(told, len(told)), *told[:2]]


def _other_times(chance: Random, told: list[Fact]) -> list[Fact]:
    return [replace(each, occurred_at=moment(chance), received_at=moment(chance)) for each in told]


def _nothing(_chance: Random, _told: list[Fact]) -> list[Fact]:
    return []


def _another(chance: Random, told: list[Fact]) -> list[Fact]:
    return [each for identity in sorted({PERSON, *(f.identity for f in told)}) for each in history(chance, identity)]


DIFFERENCES: Final[Mapping[str, Callable[[Random, list[Fact]], list[Fact]]]] = {
    "content": _other_content,
    "count": _fewer,
    "order": _other_order,
    "timing": _other_times,
    "existence": _nothing,
    "everything": _another,
}
"""What a pair may differ in -> how the second history is made from the first."""


def drawn_field_pair(chance: Random) -> Pair:
    """A person who agreed to all but some purposes of fields, with other content in just those fields."""
    closed = frozenset(chance.sample(CLOSABLE, chance.randrange(1, len(CLOSABLE) + 1)))
    shared = closing(chance, closed, opened=PURPOSES)
    tie = chance.choice(TIES)
    around = (*tied(tie), *agreed(SUGGEST, identity=NEIGHBOUR))
    told = [*private_facts(chance, PERSON), *history(chance, PERSON)]
    worlds = (
        People([*shared.before, *around, *facts], held=shared.held)
        for facts in (told, retold(chance, told, closed=closed))
    )
    return Pair(shared=shared, difference="fields", tie=tie, one=next(worlds), other=next(worlds), tries=1)


def card(people: People) -> Answers:
    """What an agent sees of the person and of the neighbour."""
    return {
        f"{whose} card": card_of(people.view(identity), ref="ref-1", now=NOW).model_dump_json().encode()
        for whose, identity in (("own", PERSON), ("others'", NEIGHBOUR))
    }


def answers(people: People, *, channel: str | None, k: int) -> Answers:
    """What the person and the neighbour are answered, and what is kept of it."""
    found: dict[str, bytes] = {}
    for whose, identity in (("own", PERSON), ("others'", NEIGHBOUR)):
        view = people.view(identity)
        made = answered(view, channel=channel, k=k)
        found[f"{whose} answer"] = made.rendered
        found[f"{whose} receipt"] = msgspec.json.encode(made.receipt)
    return found


class InTheOpen:
    """Seals nothing, so that two receipts can be compared to the byte."""

    async def ready(self, _identity: str) -> None:
        """There is nothing to wait for."""

    def seal(self, _identity: str, content: bytes) -> bytes:
        return content

    def open(self, _identity: str, sealed: bytes) -> bytes:
        return sealed


RECEIPTS: Final = Receipts(sealing=InTheOpen(), policy="rules", code="tests", key=KEY)


def answered(view: PersonView, *, channel: str | None, k: int) -> Made:
    """The suggestions for a person and their receipt, as the route makes them."""
    return RECEIPTS.answer(
        input_of(view, catalogue=CATALOGUE, ref="ref-1", now=NOW),
        Question(channel=channel, k=k, now=NOW),
        identity=view.identity,
        canonical=view.canonical,
        artifact=model(),
        catalogue=CATALOGUE,
    )
