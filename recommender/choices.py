"""From permitted facts to what rankers are fitted on: who had taken what by a moment, and who took what after it.

What somebody was at a moment is folded from the facts known by then, and looked at by the functions that serve, so
that a ranker is fitted and judged on what it would have seen.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from consent.purposes import PROFILE, SENSITIVE, SERVICE, SUGGEST
from events.fact import Fact
from events.feedback import SuggestionAnswered, SuggestionPresented
from profiles.deltas import Delta, deltas
from profiles.facet import AttributeSection, ServiceSection, Suggestion
from profiles.joining import trim, with_record
from profiles.permitted import Permitted
from recommender.catalogue import Catalogue
from recommender.features import own_takings, person_features
from recommender.interactions import Interactions, interactions
from recommender.personal import Ground, PersonalFacts, takings

History = Mapping[str, Sequence[Fact]]
"""Person -> their permitted facts, in the order of their times."""

Takings = Mapping[str, Sequence[tuple[int, frozenset[str]]]]
"""Person -> the times (ms) at which they took services, and which; whether they still have them or not."""

# Permission was settled when the facts were filtered; whatever came through may be looked at.
_GROUNDS: Final = tuple(Ground(purpose=purpose, basis="filtered") for purpose in (SUGGEST, PROFILE, SENSITIVE))


class Presented(NamedTuple):
    """A service was shown or said to a person at a time (ms), and whether they accepted it."""

    person: str
    service: str
    at: int
    accepted: bool


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
    """The facts but those that name a sensitive service: for people who keep `data.sensitive` closed.

    Which service is sensitive only the catalogue knows, so the filter of permitted facts cannot see to it.
    """
    return [fact for fact in facts if not catalogue.sensitive & {*taken_by(fact, catalogue), *_suggested_by(fact)}]


def takings_told(history: History, catalogue: Catalogue) -> Takings:
    """What each person's facts tell was taken, the first takings and the repeats, in the order of history."""
    found: dict[str, list[tuple[int, frozenset[str]]]] = {}
    for person, facts in history.items():
        told = ((fact.effective_at, frozenset(taken_by(fact, catalogue))) for fact in facts)
        found[person] = [(at, taken) for at, taken in told if taken]
    return found


def interactions_at(history: History, *, catalogue: Catalogue, moment: int, people_min: int) -> Interactions:
    """What everybody had taken just before the moment (ms), and who they were then.

    A feature that fewer than `people_min` people have is left out: it could tell who somebody is.
    """
    rows: list[tuple[str, str, int, float]] = []
    described: dict[str, dict[str, float]] = {}
    for person, facts in history.items():
        known = facts_before(facts, moment)
        own = own_takings(known, catalogue)
        rows.extend((person, service, each.at, 1.0) for service, found in own.items() for each in found)
        features = person_features(known, catalogue=catalogue, at=moment)
        described[person] = {name: weight for name, (weight, _) in features.items()}
    people = Counter(name for own in described.values() for name in own)
    common = {name for name, having in people.items() if having >= people_min}
    return interactions(
        rows,
        items=tuple(catalogue.by_id),
        features={person: {name: own[name] for name in own.keys() & common} for person, own in described.items()},
        item_features={service: _item_features(catalogue, service) for service in catalogue.by_id},
    )


def taken_between(told: Sequence[tuple[int, frozenset[str]]], *, since: int, until: int) -> set[str]:
    """The services that one person took from `since` to before `until` (ms)."""
    return {service for at, taken in told if since <= at < until for service in taken}


def taken_by(fact: Fact, catalogue: Catalogue) -> set[str]:
    """The services that a fact tells were taken."""
    records = {delta.kind: {delta.id: delta.record} for delta in deltas(fact)}
    return {taking.service for taking in takings(records, catalogue)}


def presented_between(history: History, *, since: int, until: int, patience: int) -> Iterator[Presented]:
    """What was presented from `since` to before `until`, to whom, and whether they accepted it (all times in ms).

    A presentation that nobody answered counts as a no once it is older than `patience` at `until`.
    """
    for person, facts in history.items():
        shown: dict[str, Suggestion] = {}
        for fact in facts:
            for delta in deltas(fact) if _suggested_by(fact) else ():
                if isinstance(delta.record, Suggestion):
                    shown = with_record(shown, delta.id, delta.record)
        for each in shown.values():
            if each.presented is None or not since <= each.presented.at < until:
                continue
            if each.answered is not None or each.presented.at < until - patience:
                accepted = each.answered is not None and each.answered.value[1] == "accepted"
                yield Presented(person, each.presented.value, each.presented.at, accepted)


def facts_before(facts: Sequence[Fact], moment: int) -> PersonalFacts:
    """The person as known before the moment (ms)."""
    sections = _EMPTY
    for fact in facts:
        if fact.effective_at < moment:
            sections = _with_fact(sections, deltas(fact), fact)
    return PersonalFacts(
        service=trim(sections.service),
        build=trim(sections.build),
        sensitive=trim(sections.sensitive),
        grounds=_GROUNDS,
    )


def _order(fact: Fact) -> tuple[int, bytes, str]:
    return (fact.effective_at, fact.event_key, fact.identity)


def _suggested_by(fact: Fact) -> tuple[str, ...]:
    """The service of a suggestion that a fact tells was presented or answered."""
    body = fact.body
    return (body.service,) if isinstance(body, SuggestionPresented | SuggestionAnswered) else ()


def _item_features(catalogue: Catalogue, service_id: str) -> dict[str, float]:
    service = catalogue.by_id[service_id]
    names = (f"issue:{service.issue}", f"group:{service.group}", *(f"feature:{name}" for name in service.features))
    return dict.fromkeys(names, 1.0)


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
