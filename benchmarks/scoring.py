"""What one suggestion costs in process, funnel included, by the size of the catalogue.

Many people take turns, since a processor learns by heart what it is asked again and again.
"""

from collections.abc import Callable
from random import Random
from typing import Annotated, Any, Final

import numpy as np
import typer

from benchmarks.serving_world import artifact_of, catalogue_of
from benchmarks.stopwatch import Stopwatch
from commands.garbage import look_for_garbage_rarely
from consent.purposes import PROFILE, SUGGEST
from recommender.calibration import POOLS_MAX
from recommender.catalogue import Catalogue
from recommender.suggest import suggest
from recommender.suggestion import Answer, SuggestionInput
from tests.builders import DAY, NOW, fact, purchased
from tests.recommender.worlds import agreed, person

SERVICES: Final = (100, 1_000, 10_000)
PEOPLE: Final = 50
ORDERS: Final = 12
_CATEGORIES: Final = 9


def main(rounds: Annotated[int, typer.Option(help="suggestions asked for at each size")] = 2000) -> None:
    """Print percentiles of the time and of the CPU time of one suggestion, in ms."""
    for services in SERVICES:
        for in_need in (False, True):
            elapsed, used = measured(services, rounds=rounds, in_need=in_need)
            figures = [
                f"{name} p50 {np.median(found):.2f} p99 {np.quantile(found, 0.99):.2f}"
                for name, found in (("time", elapsed), ("CPU", used))
            ]
            whose = "somebody in need" if in_need else "anybody"
            typer.echo(f"{services:6,} services, {whose:16}: {', '.join(figures)} ms")


def measured(services: int, *, rounds: int, in_need: bool) -> tuple[Any, Any]:
    """Time and CPU time of each suggestion (ms) for people with a year of orders, by a blend of four parts."""
    ask = asking(services, in_need=in_need)
    # As the API does before it answers.
    look_for_garbage_rarely()
    found = np.empty((2, rounds))
    for place in range(-rounds // 10, rounds):
        watch = Stopwatch()
        ask(place)
        if place >= 0:
            found[:, place] = watch.read()
    return found[0] * 1000, found[1] * 1000


def asking(services: int, *, in_need: bool) -> Callable[[int], Answer]:
    """What answers the people in turn, by number, from a catalogue of that size and the most detailed calibration."""
    catalogue = catalogue_of(services)
    artifact = artifact_of(catalogue, dimensions=16, bends=POOLS_MAX)
    chance = Random(1)
    people = [_person(chance, catalogue, in_need=in_need) for _ in range(PEOPLE)]

    def ask(number: int) -> Answer:
        who = people[number % PEOPLE]
        return suggest(who, artifact=artifact, catalogue=catalogue, channel="desk", k=3, now=NOW, key=bytes(32))

    return ask


def _person(chance: Random, catalogue: Catalogue, *, in_need: bool) -> SuggestionInput:
    """Somebody with an order a month; who is in need was called twice in vain, too."""
    items = [each.counts.items[0] for each in catalogue.services if each.counts.items]
    orders = [
        purchased(
            f"o-{number}",
            event_id=f"e-{number}",
            at=NOW - 30 * number * DAY,
            lines=[{"item": chance.choice(items), "category": f"c{chance.randrange(_CATEGORIES)}"}],
        )
        for number in range(ORDERS)
    ]
    calls = [
        fact("service.contact_ended", at=NOW - number * DAY, contact_id=f"c-{number}", topics=["fees"], reached=False)
        for number in range(2 if in_need else 0)
    ]
    return person(*agreed(SUGGEST, PROFILE), *orders, *calls, catalogue=catalogue)
