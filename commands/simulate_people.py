"""Whom a simulation is about: people of an installation, as history or the store has them, or made-up ones."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import Final, Literal, NamedTuple

from commands.demo_world import world
from commands.demo_world_diary import SOURCE
from commands.opened_history import history_of
from commands.settings import Settings
from commands.train import held_now
from consent.redis_holds import RedisHolds
from consent.rules import Rules
from events.admission import Admission, Door
from events.history import History
from events.pseudonyms import Pseudonyms
from profiles.facet import Facet
from profiles.fold import fold
from profiles.permitted import views_of
from profiles.redis_facets import RedisFacets
from profiles.redis_store import RedisStore
from profiles.view import Loaded, PersonView

Source = Literal["history", "store", "demo"]

_BATCH: Final = 500
_DOOR: Final = Door(name="simulation", source=SOURCE)
_ADMISSION: Final = Admission(pseudonyms=Pseudonyms(bytes(32)), partitions=1)


class Population(NamedTuple):
    """Whom a simulation answers: how many there may be (identities, where people are not known yet), and each once."""

    size: int
    people: Iterator[PersonView]


def population_of(settings: Settings, source: Source, *, at: int, most: int | None, seed: int) -> Population:
    """The people of a source as of `at` (ms), at most so many of them."""
    if source == "demo":
        size = 400 if most is None else most
        return Population(size, islice(made_up(settings.rules(), at=at, seed=seed), size))
    loaded = _from_history(settings) if source == "history" else asyncio.run(_from_store(settings))
    facets = {identity: each.facet for identity, each in loaded.items()}
    held = {identity: each.held for identity, each in loaded.items()}
    # By the hash in a pseudonym: a sample by chance, and the same one every time.
    ordered = dict(sorted(facets.items(), key=lambda each: each[0].partition(":")[2]))
    size = len(facets) if most is None else min(most, len(facets))
    return Population(size, islice(views_of(ordered, held, at=at, rules=settings.rules()), size))


def made_up(rules: Rules, *, at: int, seed: int) -> Iterator[PersonView]:
    """The people of the demo worlds of this seed and the ones after it, without end."""
    for number in count(seed):
        facets: dict[str, Facet] = {}
        for event in world(seed=number, now=at).events:
            admitted = _ADMISSION.admit(json.dumps(event).encode(), door=_DOOR, received_at=at)
            for each in admitted if isinstance(admitted, tuple | list) else ():
                facets[each.fact.identity] = fold(facets.get(each.fact.identity, Facet()), each.fact).facet
        yield from views_of(facets, {}, at=at, rules=rules)


def _from_history(settings: Settings) -> Mapping[str, Loaded]:
    history = history_of(settings)
    held = asyncio.run(held_now(settings, history, name="simulate"))
    facets: dict[str, Facet] = {}
    for _, fact in history.facts():
        facets[fact.identity] = fold(facets.get(fact.identity, Facet()), fact).facet
    names = facets.keys() | held.keys()
    return {name: Loaded(facets.get(name, Facet()), held.get(name, frozenset())) for name in names}


async def _from_store(settings: Settings) -> Mapping[str, Loaded]:
    """Facets and holds as they are now, of everybody whom history names."""
    partitions = settings.partitions
    store = await RedisStore.connect(settings.redis, cluster=settings.redis_cluster, partitions=partitions)
    try:
        facets = RedisFacets(store.client, RedisHolds(store.client, partitions=partitions), partitions=partitions)
        names = sorted(await asyncio.to_thread(_named, history_of(settings)))
        loaded: dict[str, Loaded] = {}
        for begin in range(0, len(names), _BATCH):
            loaded |= await facets.load_many(names[begin : begin + _BATCH])
    finally:
        await store.close()
    return loaded


def _named(history: History) -> set[str]:
    return {name for place in history.partitions() for name in history.identities(*place)}
