"""Which first? A score is propensity times context, and both are told: P × C, with value and lever where they weigh.

P is how likely the person takes the service. C is what the reason of the contact and open needs make of it: each says
how many times likelier the service is to be the right one, and independent reasons multiply.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from profiles.facet import ServiceSection
from recommender.catalogue import Catalogue, Context, Service
from recommender.conditions import DAY_MS
from recommender.needs import NeedFound
from recommender.shelf import Numbers, Shelf
from recommender.suggestion import Factors, Score

CONTEXT_MAX: Final = 1000.0
"""No combination of reasons counts for more."""
DIGITS: Final = 6
"""Rounded, so that the last bit of a sum cannot decide an order."""
_LEAST: Final = 10.0**-DIGITS


class Ranked(NamedTuple):
    """Propensity, context and their product with value and lever, by place."""

    propensity: Numbers
    context: Numbers
    scores: Numbers


def contexts_of(catalogue: Catalogue, *, intent: str | None, topics: Iterable[str] = ()) -> tuple[Context, ...]:
    """What the present contact is about, by the intent the channel gave and the topics of the contact."""
    found = (catalogue.context_of.get(word) for word in (intent, *topics) if word is not None)
    return tuple({context.id: context for context in found if context is not None}.values())


def topics_now(section: ServiceSection, *, at: int) -> tuple[str, ...]:
    """The topics of the latest contact that was begun within a day before `at` (ms) and has not ended."""
    begun = (contact.started for contact in section.contacts.values() if contact.ended is None)
    latest = max(
        (cell for cell in begun if cell is not None and cell.at >= at - DAY_MS),
        key=lambda cell: (cell.at, cell.key),
        default=None,
    )
    return () if latest is None else latest.value.topics


def ranked(shelf: Shelf, propensity: Numbers, *, contexts: Collection[Context], needs: Collection[NeedFound]) -> Ranked:
    """Every service with its score.

    A service that a need asks for counts at least as much as the average one before it is raised: what we know of
    people without the need does not speak against it.
    """
    values, factors = propensity.round(DIGITS), shelf.unraised
    raised = _raised_by_needs(shelf, needs, contexts)
    places = list(raised)
    if about := _about(contexts, needs):
        factors = np.minimum(np.prod([shelf.raises[each.id] for each in about], axis=0), CONTEXT_MAX)
    if raised:
        typical = values.mean()
        values[places] = np.maximum(values[places], _LEAST)
        by = np.minimum(factors[places] * list(raised.values()), CONTEXT_MAX)
        by *= np.maximum(1.0, typical / values[places])
        factors = factors.copy()
        factors[places] = by.round(DIGITS)
    if about:
        factors = factors.round(DIGITS)
    return Ranked(values, factors, _scores(shelf, values, factors, raised=None if about else places))


def _scores(shelf: Shelf, values: Numbers, factors: Numbers, *, raised: list[int] | None) -> Numbers:
    """Their product; `raised` are the only places where a factor is not one, None where any may differ."""
    if raised is None or shelf.weighed is not None:
        scores = values * factors
        if shelf.weighed is not None:
            scores *= shelf.weighed
        return scores.round(DIGITS)
    if not raised:
        return values
    scores = values.copy()
    scores[raised] = (values[raised] * factors[raised]).round(DIGITS)
    return scores


def factors_of(place: int, found: Ranked, *, service: Service, catalogue: Catalogue) -> Factors:
    """What the score at a place is made of."""
    weights = catalogue.arbitration
    return Factors(
        propensity=Score(found.propensity.item(place)),
        context=Score(found.context.item(place)),
        value=Score(service.value**weights.value_weight) if weights.value_weight else None,
        lever=Score(service.lever**weights.lever_weight) if weights.lever_weight else None,
    )


def _about(contexts: Collection[Context], needs: Collection[NeedFound]) -> list[Context]:
    """The contexts that no open need is behind."""
    explained = {context for found in needs for context in found.need.behind}
    return [context for context in contexts if context.id not in explained]


def _raised_by_needs(shelf: Shelf, needs: Collection[NeedFound], contexts: Collection[Context]) -> Mapping[int, float]:
    raised: dict[int, float] = {}
    for found in needs:
        hidden = [_strongest(context) for context in contexts if context.id in found.need.behind]
        for service, by in found.need.suggests.items():
            place = shelf.place[service]
            raised[place] = raised.get(place, 1.0) * by * max(hidden, default=1.0)
    return raised


def _strongest(context: Context) -> float:
    return max((*context.issues.values(), *context.groups.values()))
