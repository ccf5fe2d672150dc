"""`python -m benchmarks training`: a whole training from facts to an artifact, step by step.

Made-up people of twelve kinds, each with a region, two consents and takings over a year; services with two features.
The steps of `rapport train` are run in one process without a store: who may be used, reading, the tournament, the
probabilities, the gate by the function that serves, and the fit on everything. One LightFM is fitted apart.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import numpy as np
import typer

from benchmarks.options import AgainOption, PageOption, ResultsOption
from benchmarks.recommender_tables import LIGHTFM_ALONE, training_page
from benchmarks.report import write_results
from benchmarks.results import RESULTS, keep, open_results
from benchmarks.servers import load_average
from benchmarks.stopwatch import Stopwatch, peak_rss_mib
from benchmarks.tables import machine_line, show
from consent.purposes import PROFILE, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from events.position import Position
from recommender.catalogue import Catalogue
from recommender.interactions import Interactions, interactions
from recommender.rankers.protocol import quiet
from recommender.rankers.registry import RANKERS
from recommender.training import train
from tests.builders import DAY, NOW, consent, fact
from tests.recommender.worlds import catalogue_of, subscribed
from tests.servers import ROOT

PAGE: Final = ROOT / "docs" / "explanation" / "recommender.md"
KINDS: Final = 12
"""Kinds of people: each has a region and a taste."""


class World(NamedTuple):
    """So many people, each with so many takings of the catalogue's services."""

    people: int
    takings: int
    catalogue: Catalogue

    @property
    def services(self) -> list[str]:
        """What may be taken."""
        return [each.id for each in self.catalogue.services if not each.fallback]


def main(
    *,
    people: Annotated[int, typer.Option(help="made-up people")] = 100_000,
    takings: Annotated[int, typer.Option(help="takings of each of them")] = 10,
    services: Annotated[int, typer.Option(help="services, beside the fallback")] = 500,
    again: AgainOption = False,
    results: ResultsOption = RESULTS,
    page: PageOption = PAGE,
) -> None:
    """Train once, keep and print the table, and write it into the page."""
    path = results / "training.json"
    settings = {"people": people, "takings": takings, "services": services}
    kept = open_results(path, experiment="training", settings=settings, fresh=again)
    if not kept.runs:
        load = load_average()
        steps = _steps(World(people, takings, _catalogue(services)))
        kept.runs.extend({**step, "round": 1, "load_average": load} for step in steps)
        keep(kept, path)
    show(training_page(kept), title="training")
    typer.echo(machine_line(kept))
    write_results(page, results)


def _steps(world: World) -> Iterator[dict[str, Any]]:
    watch = _Watch()
    data = _interactions(world)
    watch.told("(the world)")
    RANKERS["lightfm"].fit(data, plan={}, progress=quiet)
    watch.told(LIGHTFM_ALONE)
    del data
    train(
        lambda: _facts(world),
        catalogue=world.catalogue,
        at=NOW,
        code="benchmark",
        rules=shipped_rules(),
        progress=lambda step, _done, _of: watch.begins(step.partition(":")[0]),
    )
    watch.begins("")
    yield from watch.steps[1:]


class _Watch:
    """Time, CPU time of all threads (s), and memory at most (MiB) of each step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self._watch = Stopwatch()
        self._step = ""

    def begins(self, step: str) -> None:
        """The step before is over, where this is another one."""
        if step == self._step:
            return
        if self._step:
            self.told(self._step)
        self._step = step

    def told(self, step: str) -> None:
        """This is what was done since the last one."""
        wall_s, cpu_s = (round(seconds, 1) for seconds in self._watch.read())
        self.steps.append({"step": step, "wall_s": wall_s, "cpu_s": cpu_s, "rss_mib": round(peak_rss_mib())})


def _catalogue(services: int) -> Catalogue:
    names = [f"s{number:04}" for number in range(services)]
    features: dict[str, Any] = {
        name: {"features": [f"f{place % 20}", f"g{place % 7}"]} for place, name in enumerate(names)
    }
    return catalogue_of(*names, **features)


def _taken(world: World) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """The kind of each person, and the places and times (ms) of what they took."""
    rng = np.random.default_rng(1)
    count = len(world.services)
    popular = -np.log(np.arange(count) + 3.0)
    tastes = [np.cumsum(np.exp(popular + rng.normal(0, 1.2, count))) for _ in range(KINDS)]
    for _ in range(world.people):
        kind = int(rng.integers(KINDS))
        drawn = np.searchsorted(tastes[kind], rng.random(2 * world.takings) * tastes[kind][-1])
        places = list(dict.fromkeys(drawn.tolist()))[: world.takings]
        days = np.sort(rng.integers(1, 390, len(places)))[::-1]
        yield kind, [(place, NOW - int(day) * DAY) for place, day in zip(places, days, strict=True)]


def _facts(world: World) -> Iterator[tuple[Position, Fact]]:
    """History, person after person; every fact has a key of its own."""
    said = [consent("given", purpose, at=NOW - 400 * DAY) for purpose in (TRAIN, PROFILE)]
    kinds = [fact("identity.described", at=NOW - 399 * DAY, attributes={"region": f"r{kind}"}) for kind in range(KINDS)]
    services = [subscribed(name) for name in world.services]
    offset = 0
    for person, (kind, taken) in enumerate(_taken(world)):
        identity = f"{said[0].identity[:-8]}{person:08x}"
        took = (msgspec.structs.replace(services[place], occurred_at=at, received_at=at) for place, at in taken)
        for each in (*said, kinds[kind], *took):
            offset += 1
            key = offset.to_bytes(len(each.event_key), "big")
            yield Position(1, 0, offset), msgspec.structs.replace(each, identity=identity, event_key=key)


def _interactions(world: World) -> Interactions:
    kinds: dict[str, dict[str, float]] = {}

    def rows() -> Iterator[tuple[str, str, int, float]]:
        for person, (kind, taken) in enumerate(_taken(world)):
            kinds[str(person)] = {f"region:r{kind}": 1.0}
            for place, at in taken:
                yield str(person), services[place], at, 1.0

    services = world.services
    found = list(rows())
    by_id = world.catalogue.by_id
    return interactions(
        found,
        items=services,
        features=kinds,
        item_features={name: dict.fromkeys(by_id[name].features, 1.0) for name in services},
    )
