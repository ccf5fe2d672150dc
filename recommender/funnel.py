"""The funnel: which services may be offered at all. Each rule is a pure question with a reason for its no.

Without personal facts the rules know the catalogue, the channel, the clock and the deny-only facts; a service whose
fitness only personal facts could tell is then withheld. A rule answers with the places of the services it refuses.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

import numpy as np

from recommender.personal import Taking
from recommender.shelf import Shelf
from recommender.suggestion import Restraints, Stage, Withheld

Rule = tuple[Stage, str, Iterable[int]]
"""A stage, a reason, and the places of the services it refuses."""
Refused = Mapping[int, tuple[Stage, str]]
"""Place -> the stage and the reason of its first refusal."""


class Known(NamedTuple):
    """What the rules may look at. `held` and `needed` are None in general mode: then nothing is known of either.

    `region` is the person's, None where it is not known or may not be looked at. `has_heard_enough` of offers, and
    `enough_of` single services, are what caps say; neither is asked in general mode.
    """

    channel: str | None
    is_staff: bool
    at: int
    restraints: Restraints
    purposes: frozenset[str] = frozenset()
    held: Mapping[str, Taking] | None = None
    needed: Collection[str] | None = None
    region: str | None = None
    has_heard_enough: bool = False
    enough_of: Collection[str] = ()


def refused(shelf: Shelf, known: Known) -> Refused:
    """The services that a rule refuses. The first rule that does has the word; a fallback is never refused."""
    found: dict[int, tuple[Stage, str]] = {}
    stages = (_eligible, _applicable, _suitable, _consented, _capped)
    for stage, because, places in chain.from_iterable(rules(shelf, known) for rules in stages):
        said = (stage, because)
        for place in places:
            found.setdefault(place, said)
    for place in shelf.fallback:
        found.pop(place, None)
    return found


def withheld(shelf: Shelf, refused: Refused) -> tuple[Withheld, ...]:
    """What was refused, by name and in the order of the names."""
    places = sorted(refused, key=shelf.alphabetical.__getitem__)
    said = ((shelf.ids[place], *refused[place]) for place in places)
    return tuple(Withheld(service=service, stage=stage, because=because) for service, stage, because in said)


def _eligible(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: may we at all."""
    if shelf.dated:
        today = datetime.fromtimestamp(known.at / 1000, tz=UTC).date().toordinal()
        yield "eligible", "not offered yet", np.flatnonzero(shelf.starts > today).tolist()
        yield "eligible", "no longer offered", np.flatnonzero(shelf.ends < today).tolist()
    if known.channel is not None:
        yield "eligible", "not offered on this channel", shelf.not_on.get(known.channel, shelf.on_named_channels)
    yield "eligible", "not offered in their region", shelf.not_in.get(known.region or "", shelf.in_named_regions)
    if not known.is_staff:
        yield "eligible", "for staff only", shelf.staff_only
    if known.restraints.minor:
        yield "eligible", "only for adults", shelf.adults_only


def _applicable(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: does it make sense now."""
    held, needed = known.held, known.needed or ()
    if held is None:
        yield "applicable", "depends on what may not be looked at", shelf.dependent
        return
    yield "applicable", "already taken", shelf.at(held, shelf.once)
    for services, places in shelf.prerequisites.items():
        if not all(map(held.__contains__, services)):
            yield "applicable", "needs another service first", places
    for services, places in shelf.contraindications.items():
        if any(map(held.__contains__, services)):
            yield "applicable", "does not go with a service that was taken", places
    yield "applicable", "no need for it", set(shelf.only_when_needed).difference(map(shelf.place.get, needed))


def _suitable(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: is it good for this person now."""
    restraints = known.restraints
    if restraints.open_complaint:
        yield "suitable", "nothing to sell while a complaint is open", shelf.upsell
    if restraints.arrears:
        yield "suitable", "nothing to sell while payments are overdue", shelf.upsell
    if restraints.minor:
        yield "suitable", "nothing to sell to a minor", shelf.upsell
    if restraints.restricted or restraints.suppressed:
        yield "suitable", "nothing to sell to a person who objected", shelf.upsell
    yield "suitable", "declined lately", shelf.at(restraints.refused, shelf.optional)
    yield "suitable", "told lately", shelf.at(restraints.told, shelf.untransactional)


def _consented(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: do we have the permission it needs."""
    for requires, places in shelf.requires.items():
        missing = [purpose for purpose in requires if purpose not in known.purposes]
        if missing:
            yield "consent", f"needs {missing[0]}", places


def _capped(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: have we said it too often."""
    yield "caps", "told as often as it may be", shelf.at(known.enough_of, shelf.optional)
    if known.has_heard_enough:
        yield "caps", "heard enough offers lately", shelf.offers
