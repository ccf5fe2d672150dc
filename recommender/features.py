"""What the rankers see of a person: named features and own takings, made alike for the fit and for serving."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from events.feedback import SCORE_RANGE
from profiles.cases import is_open_complaint
from profiles.facet import Cell, ServiceSection
from recommender.catalogue import Catalogue
from recommender.personal import Owned, PersonalFacts, standing_takings

_WINDOW_MS: Final = 365 * 24 * 3600 * 1000
_SATISFIED: Final = 0.75
_DISSATISFIED: Final = 0.5
"""Of the range of a score, and of one to five stars."""

Feature = tuple[float, tuple[Cell[Any], ...]]
"""Weight, and the cells the feature rests on."""


def person_features(facts: PersonalFacts, *, catalogue: Catalogue, at: int) -> dict[str, Feature]:
    """Feature name -> its weight and the cells behind it; names begin with their kind (`category:`, `topic:`, ...).

    What they took is no feature: that is `own_takings`. Windows are bounded from below only.
    """
    features: dict[str, Feature] = {}
    since = at - _WINDOW_MS
    placed = (order.placed for order in facts.service.orders.values() if order.cancelled is None)
    orders = [cell for cell in placed if cell is not None and cell.at >= since]
    features[f"orders:{_band(len(orders))}"] = (1.0, tuple(orders))
    _add_each(features, "category", ((c, ln.category) for c in orders for ln in c.value.lines if ln.category))
    contacts = (contact.started or contact.ended for contact in facts.service.contacts.values())
    recent = [cell for cell in contacts if cell is not None and cell.at >= since]
    _add_each(features, "topic", ((cell, topic) for cell in recent for topic in cell.value.topics))
    _add_each(features, "complaint", _complaints(facts.service, since=since))
    _add_each(features, "satisfaction", _latest_score(facts.service, since=since))
    _add_each(features, "declined", _declined(facts, catalogue))
    for section in (facts.build, facts.sensitive):
        for name, attribute in () if section is None else section.attributes.items():
            # A number tells people apart rather than putting them together, so only words and yes or no are features.
            if attribute.stated is not None and isinstance(attribute.stated.value, str | bool):
                features[f"described:{name}={attribute.stated.value}"] = (1.0, (attribute.stated,))
    return features


def own_takings(facts: PersonalFacts, catalogue: Catalogue) -> Owned:
    """Service -> its takings that stand; of services that tell of children or health only where that is open."""
    return spoken(standing_takings(facts.service, catalogue), facts, catalogue)


def spoken(taken: Owned, facts: PersonalFacts, catalogue: Catalogue) -> Owned:
    """What was taken that may speak for others: nothing of a sensitive service where `data.sensitive` is closed."""
    if facts.has_sensitive:
        return taken
    return {service: found for service, found in taken.items() if service not in catalogue.sensitive}


def _complaints(service: ServiceSection, *, since: int) -> Iterator[tuple[Cell[Any], str]]:
    for case in service.cases.values():
        if case.complaint is not None and case.complaint.at >= since:
            yield case.complaint, "open" if is_open_complaint(case) else "solved"


def _latest_score(service: ServiceSection, *, since: int) -> Iterator[tuple[Cell[Any], str]]:
    """The latest survey answer or stars, as a word."""
    answers: list[Cell[Any]] = [each.answered for each in service.surveys.values() if each.answered]
    stars: list[Cell[Any]] = [each.posted for each in service.reviews.values() if each.posted]
    scored = [*((cell, *SCORE_RANGE[cell.value[0]]) for cell in answers), *((cell, 1, 5) for cell in stars)]
    recent = [found for found in scored if found[0].at >= since]
    if recent:
        cell, low, high = max(recent, key=lambda found: (found[0].at, found[0].key))
        share = (cell.value[1] - low) / (high - low)
        yield cell, "high" if share >= _SATISFIED else "low" if share < _DISSATISFIED else "middle"


def _declined(facts: PersonalFacts, catalogue: Catalogue) -> Iterator[tuple[Cell[Any], str]]:
    for suggestion in facts.service.suggestions.values():
        if suggestion.answered is None or suggestion.answered.value[1] != "declined":
            continue
        service = catalogue.by_id.get(suggestion.answered.value[0])
        if service is not None and (facts.has_sensitive or not service.sensitive):
            yield suggestion.answered, service.id


def _add_each(features: dict[str, Feature], kind: str, found: Iterable[tuple[Cell[Any], str]]) -> None:
    cells: dict[str, dict[bytes, Cell[Any]]] = {}
    for cell, name in found:
        cells.setdefault(name, {})[cell.key] = cell
    for name, by_key in cells.items():
        features[f"{kind}:{name}"] = (1.0, tuple(by_key.values()))


def _band(count: int) -> str:
    for most, band in ((0, "none"), (1, "one"), (3, "few")):
        if count <= most:
            return band
    return "many"
