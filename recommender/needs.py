"""Which needs a person's facts speak of: each condition answers with the facts it rests on, or does not hold."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from profiles.cases import is_open
from profiles.facet import Cell, ServiceSection
from recommender.catalogue import Catalogue, Need
from recommender.conditions import (
    DAY_MS,
    Alerted,
    Bought,
    Condition,
    Contacted,
    DeliveredLate,
    Described,
    Holds,
    Lacks,
    Ordered,
    Quiet,
    Scored,
    Unreached,
)
from recommender.personal import PersonalFacts, Taking

EVIDENCE_MAX: Final = 50
"""Facts a need names, the newest ones: of every condition all, as far as they are not more."""

_LOOKS_AT: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("bought", "ordered", "quiet", "newcomer", "delivered_late"), ("orders",)),
    "contacted": ("contacts", "cases"),
    "unreached": ("contacts",),
    "alerted": ("alerts",),
    "complained": ("cases",),
    "scored": ("surveys",),
    "visited": ("touch",),
}
"""Condition -> the kinds of records it looks at; it does not hold for a person who has none of them."""
_KINDS: Final = tuple({kind for kinds in _LOOKS_AT.values() for kind in kinds})

Cells = list[Cell[Any]]


class Evidence(NamedTuple):
    """How many facts speak for it, and the event keys (hex) of the newest of them, newest first."""

    facts: int
    keys: tuple[str, ...]


class NeedFound(NamedTuple):
    """A need whose conditions all hold."""

    need: Need
    evidence: Evidence


def needs_found(
    facts: PersonalFacts, *, catalogue: Catalogue, held: Mapping[str, Taking], at: int
) -> Iterator[NeedFound]:
    """The needs that hold at that moment (ms), in the catalogue's order; sensitive ones only where those are open.

    `at` bounds a window only from below, so that a fact counts as soon as it is known.
    """
    service = facts.service
    present = {kind for kind in _KINDS if getattr(service, kind)}
    for need in catalogue.needs:
        looks_at = _LOOKS_AT.get(need.when[0].op)
        if (looks_at is not None and present.isdisjoint(looks_at)) or (need.sensitive and not facts.has_sensitive):
            continue
        found: list[Cells] = []
        for condition in need.when:
            cells = _cells(condition, facts=facts, held=held, at=at)
            if cells is None:
                break
            found.append(cells)
        else:
            yield NeedFound(need, _evidence(need, found, service))


def _evidence(need: Need, found: list[Cells], service: ServiceSection) -> Evidence:
    # The count is that of the first condition, which is what the words of the reason speak of.
    counted = [_newest(cells) for cells in found]
    beside = (
        cell for condition, cells in zip(need.when, counted, strict=True) for cell in _beside(condition, cells, service)
    )
    cells = {(cell.at, cell.key) for cell in (*chain.from_iterable(counted), *beside)}
    return Evidence(len(found[0]), tuple(key.hex() for _, key in sorted(cells, reverse=True)))


def _beside(condition: Condition, counted: Cells, service: ServiceSection) -> Iterator[Cell[Any]]:
    """What it takes beside the facts counted to see that they count."""
    keys = {cell.key for cell in counted}
    if condition.op == "delivered_late":
        for order in service.orders.values():
            if order.promised is not None and order.delivered is not None and order.delivered.key in keys:
                yield order.promised
    elif condition.op == "complained":
        for case in service.cases.values():
            if case.complaint is not None and case.complaint.key in keys:
                yield from case.resolved[:1]


def _newest(cells: Cells) -> Cells:
    return sorted(cells, key=lambda cell: (cell.at, cell.key), reverse=True)[:EVIDENCE_MAX]


def _cells(condition: Condition, *, facts: PersonalFacts, held: Mapping[str, Taking], at: int) -> Cells | None:
    """The cells the condition rests on; None where it does not hold."""
    service = facts.service
    # By the word, since asking what class a condition is costs more than most conditions do.
    if condition.op == "holds":
        return _taken(condition, held, at) or None
    if condition.op == "lacks":
        return None if _taken(condition, held, at) else []
    if condition.op == "described":
        return _of_attributes(condition, facts)
    if condition.op == "quiet":
        return _of_silence(condition, service, at)
    if condition.op == "newcomer":
        placed = sorted(_orders(service), key=lambda cell: (cell.at, cell.key))
        return placed[:1] if placed and placed[0].at >= at - condition.within_days * DAY_MS else None
    if condition.op == "scored":
        return _of_scores(condition, service, at)
    if condition.op == "complained":
        return _recent(_complaints(service, condition.state), condition.within_days, at) or None
    if condition.op == "visited":
        visits = (point for touch in service.touch.values() for point in touch.points)
        return _recent((p for p in visits if p.value[0] == "service.visited"), condition.within_days, at) or None
    cells = _recent(_counted(condition, service), condition.within_days, at)
    return cells if len(cells) >= condition.at_least else None


def _taken(condition: Holds | Lacks, held: Mapping[str, Taking], at: int) -> Cells:
    cells = [Cell(each.at, each.key, None) for name in condition.services if (each := held.get(name))]
    return cells if condition.within_days is None else _recent(cells, condition.within_days, at)


def _recent(cells: Iterable[Cell[Any]], within_days: int, at: int) -> Cells:
    since = at - within_days * DAY_MS
    return [cell for cell in cells if cell.at >= since]


def _counted(
    condition: Bought | Ordered | Contacted | Unreached | Alerted | DeliveredLate, service: ServiceSection
) -> Iterable[Cell[Any]]:
    if condition.op == "bought":
        return (cell for cell in _orders(service) if _holds_line(cell, condition))
    if condition.op == "ordered":
        return _orders(service)
    if condition.op == "contacted":
        return (cell for cell, topics in _topics(service) if set(topics) & set(condition.topics))
    if condition.op == "unreached":
        ends = (contact.ended for contact in service.contacts.values())
        return (cell for cell in ends if cell is not None and not cell.value.reached)
    if condition.op == "alerted":
        raised = (alert.raised for alert in service.alerts.values() if alert.raised is not None)
        return (cell for cell in raised if _alert_fits(condition, cell.value))
    return _late_deliveries(service)


def _holds_line(cell: Cell[Any], condition: Bought) -> bool:
    return any(line.item in condition.items or line.category in condition.categories for line in cell.value.lines)


def _late_deliveries(service: ServiceSection) -> Iterator[Cell[Any]]:
    for order in service.orders.values():
        if order.delivered and order.promised and order.delivered.at > order.promised.value:
            yield order.delivered


def _alert_fits(condition: Alerted, alert: tuple[str, str | None, str]) -> bool:
    kind, _, severity = alert
    return (not condition.kinds or kind in condition.kinds) and severity in condition.severities


def _orders(service: ServiceSection) -> Iterator[Cell[Any]]:
    for order in service.orders.values():
        if order.placed is not None and order.cancelled is None:
            yield order.placed


def _topics(service: ServiceSection) -> Iterator[tuple[Cell[Any], tuple[str, ...]]]:
    """One cell per contact or case that speaks of topics."""
    for contact in service.contacts.values():
        cells = [cell for cell in (contact.ended, contact.started) if cell is not None]
        if cells:
            yield cells[0], tuple(topic for cell in cells for topic in cell.value.topics)
    for case in service.cases.values():
        openings = [cell for cell in (case.opened, case.complaint) if cell is not None]
        if openings:
            yield openings[0], tuple(topic for cell in openings for topic in cell.value.topics)


def _complaints(service: ServiceSection, state: str) -> Iterator[Cell[Any]]:
    for case in service.cases.values():
        if case.complaint is not None and is_open(case) == (state == "open"):
            yield case.complaint


def _of_silence(condition: Quiet, service: ServiceSection, at: int) -> Cells | None:
    placed = sorted(_orders(service), key=lambda cell: (cell.at, cell.key), reverse=True)
    if len(placed) < condition.after_orders or placed[0].at >= at - condition.for_days * DAY_MS:
        return None
    return placed


def _of_scores(condition: Scored, service: ServiceSection, at: int) -> Cells | None:
    answers = [
        survey.answered
        for survey in service.surveys.values()
        if survey.answered is not None and survey.answered.value[0] == condition.survey
    ]
    latest = max(answers, key=lambda cell: (cell.at, cell.key), default=None)
    if latest is None or not condition.at_least <= latest.value[1] <= condition.at_most:
        return None
    return _recent([latest], condition.within_days, at) or None


def _of_attributes(condition: Described, facts: PersonalFacts) -> Cells | None:
    for section in (facts.service, facts.build, facts.sensitive):
        attribute = None if section is None else section.attributes.get(condition.attribute)
        stated = None if attribute is None else attribute.stated
        if stated is not None and type(stated.value) is type(condition.equals) and stated.value == condition.equals:
            return [stated]
    return None
