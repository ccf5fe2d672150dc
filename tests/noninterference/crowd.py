"""A crowd whose choices a model is trained on: two tastes, each takes the services of its own kind."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from consent.purposes import PROFILE, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from recommender.artifact import Artifact
from recommender.catalogue import Catalogue, load_catalogue
from recommender.training import train
from recommender.training_making import Plan
from tests.builders import DAY, NOW, fact
from tests.recommender.worlds import CODE, agreed, log_of

CATALOGUE: Final = load_catalogue()
SERVICES: Final = tuple(sorted(CATALOGUE.by_id))
PLAN: Final = Plan(feature_people_min=2, judged_people_min=5)
QUICK: Final = Plan(kinds=("popularity", "item_knn"), feature_people_min=1, judged_people_min=2)
"""A feature of a single person counts, so that nobody hides among the others."""


def accepted(service: str, *, identity: str, at: int) -> Fact:
    """A service taken up when it was offered."""
    name = f"{service}-{identity}"
    return fact(
        "feedback.suggestion_answered", identity=identity, at=at, decision=name, service=service, answer="accepted"
    )


def customer(number: int) -> list[Fact]:
    """Consents, and four services of the customer's taste, a day apart; where they begin is their own."""
    identity, taste = f"app:crowd-{number}", SERVICES[number % 2 :: 2]
    begun, first = NOW - (60 + number % 7) * DAY, number // 2
    taken = [taste[(first + place) % len(taste)] for place in range(4)]
    return [
        *agreed(TRAIN, PROFILE, identity=identity),
        *(accepted(each, identity=identity, at=begun + place * DAY) for place, each in enumerate(taken)),
    ]


def crowd(size: int) -> list[Fact]:
    """So many customers."""
    return [some for number in range(size) for some in customer(number)]


@cache
def model() -> Artifact:
    """A model of a crowd that ranks by LightFM, whoever is judged."""
    return trained(crowd(60), plan=PLAN)


def trained(facts: Iterable[Fact] | Sequence[Fact], *, plan: Plan, catalogue: Catalogue = CATALOGUE) -> Artifact:
    """The artifact of a real training on a history of these facts."""
    return train(log_of(facts), catalogue=catalogue, at=NOW, code=CODE, plan=plan, rules=shipped_rules()).artifact
