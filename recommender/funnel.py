"""The funnel: which services may be offered at all. Each stage is a pure question with a reason for its no.

Without personal facts the stages know the catalogue, the channel, the clock and the deny-only facts; a service whose
fitness only personal facts could tell is then withheld.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from recommender.catalogue import Catalogue, Service
from recommender.personal import Taking
from recommender.suggestion import Restraints, Stage, Withheld

ADULT_AGE: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the stages may look at. `held` and `needed` are None in general mode: then nothing is known of either."""

    channel: str | None
    is_staff: bool
    at: int
    restraints: Restraints
    purposes: frozenset[str] = frozenset()
    held: Mapping[str, Taking] | None = None
    needed: Collection[str] | None = None


def passing(catalogue: Catalogue, known: Known) -> tuple[list[Service], list[Withheld]]:
    """The services that come through every stage, and the others with stage and reason, in the catalogue's order."""
    through, withheld = [], []
    for service in catalogue.services:
        refusal = None if service.fallback else _first_no(service, known)
        if refusal is None:
            through.append(service)
        else:
            stage, because = refusal
            withheld.append(Withheld(service.id, stage, because))
    return through, withheld


def _first_no(service: Service, known: Known) -> tuple[Stage, str] | None:
    for stage, question in _STAGES:
        because = next(question(service, known), None)
        if because is not None:
            return stage, because
    return None


def _eligible(service: Service, known: Known) -> Iterator[str]:
    """Ask: may we at all."""
    today = datetime.fromtimestamp(known.at / 1000, tz=UTC).date()
    if service.starts is not None and today < service.starts:
        yield "not offered yet"
    if service.ends is not None and today > service.ends:
        yield "no longer offered"
    if known.channel is not None and service.channels and known.channel not in service.channels:
        yield "not offered on this channel"
    if not service.sayable and not known.is_staff:
        yield "for staff only"
    if known.restraints.minor and service.minimum_age >= ADULT_AGE:
        yield "only for adults"


def _applicable(service: Service, known: Known) -> Iterator[str]:
    """Ask: does it make sense now."""
    if known.held is None:
        if service.prerequisites or service.contraindications or service.only_when_needed:
            yield "depends on what may not be looked at"
        return
    if service.id in known.held and not service.repeatable:
        yield "already taken"
    if any(needed not in known.held for needed in service.prerequisites):
        yield "needs another service first"
    if any(excluding in known.held for excluding in service.contraindications):
        yield "does not go with a service that was taken"
    if service.only_when_needed and service.id not in (known.needed or ()):
        yield "no need for it"


def _suitable(service: Service, known: Known) -> Iterator[str]:
    """Ask: is it good for this person now."""
    restraints = known.restraints
    if service.upsell and restraints.open_complaint:
        yield "nothing to sell while a complaint is open"
    if service.upsell and restraints.minor:
        yield "nothing to sell to a minor"
    if service.upsell and (restraints.restricted or restraints.suppressed):
        yield "nothing to sell to a person who objected"
    if service.id in restraints.refused and service.kind != "mandatory":
        yield "declined lately"
    if service.id in restraints.told and service.kind != "transactional":
        yield "told lately"


def _consented(service: Service, known: Known) -> Iterator[str]:
    """Ask: do we have the permission it needs."""
    for purpose in service.requires:
        if purpose not in known.purposes:
            yield f"needs {purpose}"


_STAGES: Final[tuple[tuple[Stage, Callable[[Service, Known], Iterator[str]]], ...]] = (
    ("eligible", _eligible),
    ("applicable", _applicable),
    ("suitable", _suitable),
    ("consent", _consented),
)
