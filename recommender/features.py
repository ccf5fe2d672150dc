"""What the model sees of a person: named features, made by one function for the fit and for serving."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from profiles.facet import Cell
from recommender.conditions import DAY_MS
from recommender.personal import PersonalFacts, Taking

EVERYONE: Final = "everyone"
"""The feature all people have; alone it stands for a person of whom nothing is known."""
_WINDOW_DAYS: Final = 365
_HOLDING_WEIGHT: Final = 2.0

Feature = tuple[float, tuple[Cell[Any], ...]]
"""Weight, and the cells the feature rests on."""


def person_features(facts: PersonalFacts, *, held: Mapping[str, Taking], at: int) -> dict[str, Feature]:
    """Feature name -> its weight and the cells behind it; names begin with their kind (`has:`, `category:`, ...)."""
    features: dict[str, Feature] = {EVERYONE: (1.0, ())}
    for service, taking in held.items():
        features[f"has:{service}"] = (_HOLDING_WEIGHT, (Cell(taking.at, taking.key, None),))
    since = at - _WINDOW_DAYS * DAY_MS
    placed = (order.placed for order in facts.service.orders.values() if order.cancelled is None)
    orders = [cell for cell in placed if cell is not None and cell.at >= since]
    features[f"orders:{_band(len(orders))}"] = (1.0, tuple(orders))
    _add_each(features, "category", ((c, ln.category) for c in orders for ln in c.value.lines if ln.category))
    contacts = (contact.started or contact.ended for contact in facts.service.contacts.values())
    recent = [cell for cell in contacts if cell is not None and cell.at >= since]
    _add_each(features, "topic", ((cell, topic) for cell in recent for topic in cell.value.topics))
    for section in (facts.build, facts.sensitive):
        for name, attribute in () if section is None else section.attributes.items():
            # A number tells people apart rather than putting them together, so only words and yes or no are features.
            if attribute.stated is not None and isinstance(attribute.stated.value, str | bool):
                features[f"described:{name}={attribute.stated.value}"] = (1.0, (attribute.stated,))
    return features


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
