"""Pairs of histories a model is trained on that differ in what may not be used to train: the bytes must not differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Final

from consent.purposes import FEEDBACK, PROFILE, SENSITIVE, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from recommender.artifact import encode_artifact
from recommender.training import train
from tests.builders import NOW
from tests.noninterference.crowd import CATALOGUE, QUICK, accepted, crowd
from tests.noninterference.histories import history, moment, private_facts, retold
from tests.noninterference.people import Held
from tests.noninterference.refusals import PERSON, closing, common
from tests.recommender.worlds import CODE, log_of

SIZES: Final = (12, 16, 20)
"""How many customers the worlds have that a person is added to."""
CLOSABLE: Final = (PROFILE, SENSITIVE, FEEDBACK)
"""Purposes of fields beside that of their event."""


@dataclass(frozen=True, kw_only=True)
class TrainingPair:
    """Files of the artifacts of both worlds, by name."""

    difference: str
    one: dict[str, bytes]
    other: dict[str, bytes]


def drawn_training_pair(chance: Random) -> TrainingPair:
    """A person who may not be trained on against one who did something else, or who never was; or closed fields."""
    size = chance.choice(SIZES)
    if chance.random() < 0.3:
        closed = frozenset(chance.sample(CLOSABLE, chance.randrange(1, len(CLOSABLE) + 1)))
        shared = closing(chance, closed, opened={TRAIN, *CLOSABLE})
        told = [*private_facts(chance, PERSON), *taking_history(chance, PERSON)]
        one, other = (
            files(crowd(size), [*shared.before, *facts], held=shared.held)
            for facts in (told, retold(chance, told, closed=closed))
        )
        return TrainingPair(difference=shared.refusal, one=one, other=other)
    shared = common(chance, purpose=TRAIN)
    first, second = (
        [*shared.before, *(each for who in shared.identities for each in taking_history(chance, who)), *shared.after]
        for _ in range(2)
    )
    existed = chance.random() < 0.5
    return TrainingPair(
        difference=f"{shared.refusal}, {'another history' if existed else 'existence'}",
        one=files(crowd(size), first, held=shared.held),
        other=files(crowd(size), second, held=shared.held) if existed else without_anyone(size),
    )


def taking_history(chance: Random, identity: str) -> list[Fact]:
    """A history that takes up services, so that it would weigh in what is trained."""
    services = chance.sample(sorted(CATALOGUE.by_id), 3)
    taken = [accepted(each, identity=identity, at=moment(chance)) for each in services]
    told = [*taken, *history(chance, identity)]
    chance.shuffle(told)
    return told


@cache
def without_anyone(size: int) -> dict[str, bytes]:
    """The artifact of the crowd alone."""
    return files(crowd(size), [])


def files(others: list[Fact], own: list[Fact], *, held: Held | None = None) -> dict[str, bytes]:
    """The artifact's files after a real training; the person's facts stand in between the others'."""
    made = train(
        log_of(_between(others, own)),
        catalogue=CATALOGUE,
        at=NOW,
        code=CODE,
        held=held,
        plan=QUICK,
        rules=shipped_rules(),
    )
    return encode_artifact(made.artifact)


def _between(others: list[Fact], own: list[Fact]) -> Iterator[Fact]:
    """One own fact after each three of the others, the rest at the end."""
    waiting = iter(own)
    for number, each in enumerate(others):
        yield each
        if number % 3 == 0:
            yield from (fact for fact in [next(waiting, None)] if fact is not None)
    yield from waiting
