"""The funnel: which services may be offered at all. Each rule is a pure question with a reason for its no.

Without personal facts the rules know the catalogue, the channel, the clock and the deny-only facts; a service whose
fitness only personal facts could tell is then withheld. A rule answers for all services at once, with a mask.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from recommender.personal import Taking
from recommender.shelf import Mask, Places, Shelf
from recommender.suggestion import Restraints, Stage, Withheld

Rule = tuple[Stage, str, Mask | Places]
"""A stage, a reason, and the services it refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the rules may look at. `held` and `needed` are None in general mode: then nothing is known of either."""

    channel: str | None
    is_staff: bool
    at: int
    restraints: Restraints
    purposes: frozenset[str] = frozenset()
    held: Mapping[str, Taking] | None = None
    needed: Collection[str] | None = None


def passing(shelf: Shelf, known: Known) -> tuple[Places, list[Withheld]]:
    """The places of the services that no rule refuses, and the others by name, each with its first refusal."""
    rules = [*_eligible(shelf, known), *_applicable(shelf, known), *_suitable(shelf, known), *_consented(shelf, known)]
    first = np.zeros(len(shelf.services), dtype=np.int16)
    # The last rule first, so that an earlier one has the last word.
    for number in range(len(rules), 0, -1):
        first[rules[number - 1][2]] = number
    first[shelf.fallback] = 0
    refused = shelf.alphabetical[first[shelf.alphabetical] > 0]
    withheld = [
        Withheld(shelf.services[place].id, *rules[number - 1][:2])
        for place, number in zip(refused.tolist(), first[refused].tolist(), strict=True)
    ]
    return np.flatnonzero(first == 0), withheld


def _eligible(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: may we at all."""
    if shelf.dated:
        today = datetime.fromtimestamp(known.at / 1000, tz=UTC).date().toordinal()
        yield "eligible", "not offered yet", shelf.starts > today
        yield "eligible", "no longer offered", shelf.ends < today
    if known.channel is not None:
        elsewhere = shelf.on_named_channels
        if known.channel in shelf.channels:
            elsewhere = elsewhere & ~shelf.channels[known.channel]
        yield "eligible", "not offered on this channel", elsewhere
    if not known.is_staff:
        yield "eligible", "for staff only", shelf.staff_only
    if known.restraints.minor:
        yield "eligible", "only for adults", shelf.adults_only


def _applicable(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: does it make sense now."""
    if known.held is None:
        yield "applicable", "depends on what may not be looked at", shelf.dependent
        return
    if known.held:
        yield "applicable", "already taken", shelf.at(known.held) & shelf.once
    for needed, places in shelf.prerequisites.items():
        if any(service not in known.held for service in needed):
            yield "applicable", "needs another service first", places
    for excluding, places in shelf.contraindications.items():
        if any(service in known.held for service in excluding):
            yield "applicable", "does not go with a service that was taken", places
    needless = shelf.only_when_needed
    yield "applicable", "no need for it", needless & ~shelf.at(known.needed) if known.needed else needless


def _suitable(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: is it good for this person now."""
    restraints = known.restraints
    if restraints.open_complaint:
        yield "suitable", "nothing to sell while a complaint is open", shelf.upsell
    if restraints.minor:
        yield "suitable", "nothing to sell to a minor", shelf.upsell
    if restraints.restricted or restraints.suppressed:
        yield "suitable", "nothing to sell to a person who objected", shelf.upsell
    if restraints.refused:
        yield "suitable", "declined lately", shelf.at(restraints.refused) & ~shelf.mandatory
    if restraints.told:
        yield "suitable", "told lately", shelf.at(restraints.told) & ~shelf.transactional


def _consented(shelf: Shelf, known: Known) -> Iterator[Rule]:
    """Ask: do we have the permission it needs."""
    for requires, places in shelf.requires.items():
        missing = [purpose for purpose in requires if purpose not in known.purposes]
        if missing:
            yield "consent", f"needs {missing[0]}", places
