"""The last event already counts: people and services that no fit has seen get sensible answers."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from consent.purposes import PROFILE, SUGGEST
from events.fact import Fact
from recommender.artifact import Artifact
from recommender.tournament_judging import ndcg
from tests.builders import DAY, NOW
from tests.recommender.worlds import (
    CHECKERBOARD,
    SMALL,
    agreed,
    answer,
    catalogue_of,
    person,
    services,
    subscribed,
    taken_by,
    trained,
)

NEWCOMERS = range(100, 140)


@cache
def model(*kinds: str) -> Artifact:
    """Fitted on a hundred customers, of whom no newcomer is one."""
    facts = [some for customer in range(100) for some in taken_by(customer)]
    return trained(facts, catalogue=CHECKERBOARD, plan=replace(SMALL, kinds=kinds or SMALL.kinds))


def quality(artifact: Artifact, *, events: int) -> float:
    """Mean NDCG@10 of what newcomers take next, after so many events of theirs."""
    reached = []
    for customer in NEWCOMERS:
        colour = {f"s{each}" for each in range(customer % 2, 10, 2)}
        taken = [some for some in taken_by(customer) if some.type == "transaction.subscribed"][:events]
        held = {some.body.model_dump()["service"] for some in taken}
        who = person(*agreed(SUGGEST, PROFILE, identity="app:new"), *renamed(held), identity="app:new")
        told = services(answer(who, artifact=artifact, catalogue=CHECKERBOARD))
        hits = np.array([[service in colour - held for service in told]])
        reached.append(ndcg(hits, np.array([len(colour - held)])))
    return float(np.mean(reached))


def renamed(held: set[str]) -> list[Fact]:
    return [subscribed(each, identity="app:new", at=NOW - DAY) for each in sorted(held)]


@pytest.mark.thorough
@pytest.mark.parametrize("events", [1, 2, 3, 4])
def test_a_newcomer_is_served_at_least_as_well_as_by_what_goes_with_their_events(events: int) -> None:
    nearest = quality(model("popularity", "item_knn"), events=events)

    assert quality(model(), events=events) >= nearest
    assert nearest > quality(model("popularity"), events=events)


def test_from_the_third_event_on_a_newcomer_is_offered_what_their_kind_takes() -> None:
    assert quality(model(), events=3) == 1.0


def test_somebody_without_events_is_answered_by_what_most_people_take() -> None:
    who = person(*agreed(SUGGEST, PROFILE, identity="app:new"), identity="app:new")

    given = answer(who, artifact=model(), catalogue=CHECKERBOARD, k=11)

    assert set(services(given)) == set(CHECKERBOARD.by_id)
    assert given.mode == "personal"


def test_a_service_the_fit_has_not_seen_does_not_stand_in_the_way_of_the_others() -> None:
    grown = catalogue_of(*(f"s{number}" for number in range(10)), "fresh")
    held = [subscribed(each, identity="app:new") for each in ("s0", "s2", "fresh")]
    who = person(*agreed(SUGGEST, PROFILE, identity="app:new"), *held, identity="app:new")

    given = services(answer(who, artifact=model(), catalogue=grown))

    assert set(given[:3]) == {"s4", "s6", "s8"}


def test_the_last_event_changes_the_answer() -> None:
    consent = agreed(SUGGEST, PROFILE)
    before, after = (
        services(answer(person(*consent, subscribed(each)), artifact=model(), catalogue=CHECKERBOARD))
        for each in ("s0", "s1")
    )

    assert set(before[:4]) == {"s2", "s4", "s6", "s8"}
    assert set(after[:4]) == {"s3", "s5", "s7", "s9"}
