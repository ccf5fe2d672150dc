"""From permitted facts to choices: who took which service first when, and what was known just before."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from consent.purposes import PROFILE, SENSITIVE, SERVICE, SUGGEST
from events.fact import Fact
from profiles.deltas import Delta, deltas
from profiles.facet import AttributeSection, ServiceSection
from profiles.joining import trim, with_record
from profiles.permitted import Permitted
from recommender.catalogue import Catalogue
from recommender.features import person_features
from recommender.personal import Ground, PersonalFacts, holdings, takings

History = Mapping[str, Sequence[Fact]]
"""Person -> their permitted facts, in the order of their times."""

# Permission was settled when the facts were filtered; whatever came through may be looked at.
_GROUNDS: Final = tuple(Ground(purpose=purpose, basis="filtered") for purpose in (SUGGEST, PROFILE, SENSITIVE))


class Choice(NamedTuple):
    """A person took a service for the first time, at a time (ms) and by an event; features are those just before."""

    person: str
    at: int
    key: bytes
    service: str
    features: tuple[tuple[str, float], ...]


class _Sections(NamedTuple):
    service: ServiceSection
    build: AttributeSection
    sensitive: AttributeSection


_EMPTY: Final = _Sections(ServiceSection(), AttributeSection(), AttributeSection())
_PLACE: Final[Mapping[str, str]] = {SERVICE: "service", PROFILE: "build", SENSITIVE: "sensitive"}


def histories(permitted: Iterable[Permitted]) -> dict[str, list[Fact]]:
    """The facts by person: people in the order of their names, facts in that of their times.

    Positions play no part, since other people's events move them.
    """
    found: dict[str, list[Fact]] = {}
    for person, _, fact in permitted:
        found.setdefault(person, []).append(fact)
    return {person: sorted(found[person], key=_order) for person in sorted(found)}


def without_sensitive(facts: Sequence[Fact], catalogue: Catalogue) -> list[Fact]:
    """The facts but those by which a sensitive service was taken: for people who keep `data.sensitive` closed.

    Which service is sensitive only the catalogue knows, so the filter of permitted facts cannot see to it.
    """
    return [fact for fact in facts if not any(catalogue.by_id[each].sensitive for each in _taken_by(fact, catalogue))]


def choices(history: History, catalogue: Catalogue) -> list[Choice]:
    """All first takings, in the order of person, time and event."""
    return [choice for person, facts in history.items() for choice in _choices_of(person, facts, catalogue)]


def facts_before(facts: Sequence[Fact], moment: int) -> PersonalFacts:
    """The person as known before the moment (ms)."""
    sections = _EMPTY
    for fact in facts:
        if fact.effective_at < moment:
            sections = _with_fact(sections, deltas(fact), fact)
    return _personal(sections)


def _order(fact: Fact) -> tuple[int, bytes, str]:
    return (fact.effective_at, fact.event_key, fact.identity)


def _choices_of(person: str, facts: Sequence[Fact], catalogue: Catalogue) -> Iterator[Choice]:
    sections, taken = _EMPTY, set[str]()
    for fact in facts:
        new = sorted(_taken_by(fact, catalogue) - taken)
        if new:
            known = _personal(sections)
            held = holdings(known.service, catalogue)
            features = person_features(known, held=held, at=fact.effective_at)
            weights = tuple((name, features[name][0]) for name in sorted(features))
            yield from (Choice(person, fact.effective_at, fact.event_key, service, weights) for service in new)
            taken.update(new)
        sections = _with_fact(sections, deltas(fact), fact)


def _taken_by(fact: Fact, catalogue: Catalogue) -> set[str]:
    records = {delta.kind: {delta.id: delta.record} for delta in deltas(fact) if delta.purpose == SERVICE}
    return {taking.service for taking in takings(records, catalogue)}


def _with_fact(sections: _Sections, added: Iterable[Delta], fact: Fact) -> _Sections:
    for delta in added:
        place = _PLACE.get(delta.purpose)
        if place is None:
            continue
        section: ServiceSection | AttributeSection = getattr(sections, place)
        records = with_record(getattr(section, delta.kind), delta.id, delta.record)
        latest_at = max(section.latest_at, fact.occurred_at)
        changed: Any = {place: replace(section, latest_at=latest_at, **{delta.kind: records})}
        sections = sections._replace(**changed)
    return sections


def _personal(sections: _Sections) -> PersonalFacts:
    return PersonalFacts(
        service=trim(sections.service),
        build=trim(sections.build),
        sensitive=trim(sections.sensitive),
        grounds=_GROUNDS,
    )
