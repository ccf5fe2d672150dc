"""What one suggestion costs in process, funnel included, by the size of the catalogue."""

import time
from typing import Annotated, Any, Final

import numpy as np
import typer

from benchmarks.serving_world import artifact_of, catalogue_of
from commands.garbage import look_for_garbage_rarely
from consent.purposes import PROFILE, SUGGEST
from recommender.suggest import suggest
from tests.builders import DAY, NOW, purchased
from tests.recommender.worlds import agreed, person

SERVICES: Final = (100, 1_000, 10_000)
ORDERS: Final = 12


def main(rounds: Annotated[int, typer.Option(help="suggestions asked for at each size")] = 2000) -> None:
    """Print percentiles of the time and of the CPU time of one suggestion, in ms."""
    for services in SERVICES:
        elapsed, used = measured(services, rounds=rounds)
        figures = [
            f"{name} p50 {np.median(found):.2f} p99 {np.quantile(found, 0.99):.2f}"
            for name, found in (("time", elapsed), ("CPU", used))
        ]
        typer.echo(f"{services:6,} services: {', '.join(figures)} ms")


def measured(services: int, *, rounds: int) -> tuple[Any, Any]:
    """Time and CPU time of each suggestion (ms) for somebody with a year of orders, by a blend of four parts."""
    catalogue = catalogue_of(services)
    artifact = artifact_of(catalogue, dimensions=16)
    items = [each.counts.items[0] for each in catalogue.services if each.counts.items]
    orders = [
        purchased(
            f"o-{number}",
            event_id=f"e-{number}",
            at=NOW - 30 * number * DAY,
            lines=[{"item": items[7 * number % len(items)], "category": f"c{number % 9}"}],
        )
        for number in range(ORDERS)
    ]
    who = person(*agreed(SUGGEST, PROFILE), *orders, catalogue=catalogue)
    # As the API does before it answers.
    look_for_garbage_rarely()
    found = np.empty((2, rounds))
    for place in range(-rounds // 10, rounds):
        begun, used = time.perf_counter(), time.process_time()
        suggest(who, artifact=artifact, catalogue=catalogue, channel="desk", k=3, now=NOW, key=bytes(32))
        if place >= 0:
            found[:, place] = time.perf_counter() - begun, time.process_time() - used
    return found[0] * 1000, found[1] * 1000
