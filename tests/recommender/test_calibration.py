"""Probabilities: in a world whose odds are planted they come out; they never turn an order around."""

from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.purposes import PROFILE, SUGGEST, TRAIN
from events.fact import Fact
from recommender.artifact import Artifact
from recommender.calibration import (
    Pairs,
    brier_skill,
    calibrate,
    expected_calibration_error,
    from_arrays,
    with_answers,
)
from recommender.features import own_takings
from recommender.scoring import personal_shares, popularity_shares
from recommender.shelf import shelf_of
from recommender.training_making import Plan
from tests.builders import DAY, HOUR, NOW, fact
from tests.recommender.worlds import CHECKERBOARD, agreed, person, subscribed, trained

SHARES = np.array([0.5, 0.3, 0.2])


def drawn(seed: int, count: int, *, had: bool = False, log_odds: float = -2.0) -> Pairs:
    """Pairs whose log odds grow with the cube of the score, which no straight line tells."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(-1.5, 1.5, count)
    chance = 1 / (1 + np.exp(-(log_odds + score**3)))
    return Pairs(
        service=rng.integers(0, 3, count),
        score=score,
        takings=rng.integers(0, 9, count).astype(np.float64),
        had=np.full(count, had),
        yes=rng.random(count) < chance,
    )


def test_rates_that_no_straight_line_tells_are_told_by_the_bends() -> None:
    learnt = calibrate(drawn(1, 20_000), shares=SHARES)
    later = drawn(2, 20_000)

    told = learnt.of_pairs(later)

    assert len(learnt.new.at) > 5
    assert expected_calibration_error(told, later.yes) <= 0.01
    assert brier_skill(told, later.yes) >= 0.1


def test_few_pairs_are_told_by_a_line_and_hardly_more_than_the_base_rate() -> None:
    learnt = calibrate(drawn(1, 60), shares=SHARES)
    later = drawn(2, 5_000)

    assert len(learnt.new.at) == 0
    assert expected_calibration_error(learnt.of_pairs(later), later.yes) <= 0.1


def test_what_people_had_before_has_a_curve_of_its_own() -> None:
    new, had = drawn(1, 5_000, log_odds=-3.0), drawn(2, 5_000, had=True, log_odds=1.0)
    both = Pairs(**{name: np.concatenate([getattr(new, name), getattr(had, name)]) for name in Pairs.__slots__})

    found = calibrate(both, shares=SHARES).personal(np.zeros(3), had=np.array([1]), takings=4.0)

    assert found[0] == found[2] == pytest.approx(0.047, abs=0.02)
    assert found[1] == pytest.approx(0.73, abs=0.05)


def test_nothing_is_learnt_where_all_ended_alike() -> None:
    for said in (False, True):
        with pytest.raises(ValueError, match="alike"):
            calibrate(replace(drawn(1, 50), yes=np.full(50, said)), shares=SHARES)


@given(
    seed=st.integers(0, 50), count=st.integers(30, 3000), scores=st.lists(st.floats(-30, 30), min_size=3, max_size=3)
)
@settings(max_examples=40, deadline=None)
def test_the_order_stays_the_ranker_s_own(seed: int, count: int, scores: list[float]) -> None:
    pairs = drawn(seed, count)
    if not 0 < pairs.yes.sum() < count:
        return
    learnt = calibrate(pairs, shares=SHARES)

    found = learnt.personal(np.array(scores), had=np.zeros(0, np.int64), takings=2.0)

    assert np.isfinite(found).all()
    assert ((found > 0) & (found < 1)).all()
    for one, other in ((0, 1), (1, 2), (0, 2)):
        if scores[one] <= scores[other]:
            assert found[one] <= found[other]
    general = learnt.of_anybody(SHARES)
    assert general[0] > general[1] > general[2]


def test_two_scores_beyond_all_that_was_seen_are_still_told_apart() -> None:
    learnt = calibrate(drawn(1, 20_000), shares=SHARES)

    low, high = learnt.new.probabilities(np.array([3.0, 3.5]), 0.0)

    assert low < high


def test_written_down_and_read_back_it_is_the_same() -> None:
    learnt = with_answers(calibrate(drawn(1, 5_000), shares=SHARES), drawn(3, 500), evidence=np.ones(3))
    read = from_arrays(learnt.arrays())

    assert (read.of_pairs(drawn(2, 100)) == learnt.of_pairs(drawn(2, 100))).all()
    assert (read.of_anybody(SHARES) == learnt.of_anybody(SHARES)).all()


def test_a_service_s_own_answers_weigh_more_the_more_there_are() -> None:
    #   service 0 is accepted half as often as its score says, after few answers and after many
    def factor(count: int) -> float:
        learnt = calibrate(drawn(1, 20_000), shares=SHARES)
        pairs = drawn(2, count)
        told = learnt.of_pairs(pairs)
        no = np.random.default_rng(4).random(count) < 0.5
        answered = replace(pairs, service=np.zeros(count, np.int64), yes=pairs.yes & no)
        assert told.sum() > 0
        return float(with_answers(learnt, answered, evidence=np.full(3, 10.0)).services[0])

    assert factor(5) == pytest.approx(1.0, abs=0.15)
    assert factor(5_000) == pytest.approx(0.5, abs=0.07)
    learnt = calibrate(drawn(1, 2_000), shares=SHARES)
    assert with_answers(learnt, drawn(2, 0), evidence=np.ones(3)).services.tolist() == [1.0, 1.0, 1.0]


# A world of presented suggestions: people of a taste accept half of what is theirs, one in twenty of the rest.

TURNS = 4
ACCEPTS = {True: 0.5, False: 0.05}
PLAN = Plan(kinds=("popularity", "segment_popularity", "item_knn"), judged_people_max=500)


def life(number: int, *, world: str) -> tuple[list[Fact], Fact, bool]:
    """A person's facts before the last presentation, that one, and whether they said yes to it."""
    chance, identity, taste = Random(f"{world}-{number}"), f"app:{world}-{number}", number % 2
    begun = NOW - 200 * DAY + chance.randrange(60 * 24) * HOUR
    own = chance.sample([f"s{each}" for each in range(taste, 10, 2)], 2)
    told = [
        *agreed(TRAIN, PROFILE, SUGGEST, identity=identity),
        fact("identity.described", identity=identity, at=begun, attributes={"plan": ("gold", "silver")[taste]}),
        *(subscribed(each, identity=identity, at=begun + place * DAY) for place, each in enumerate(own)),
    ]
    for turn in range(TURNS):
        shown, yes = presented(chance, identity, taste, turn, own=own)
        if turn == TURNS - 1:
            return told, shown, yes
        told.append(shown)
        answer = "accepted" if yes else chance.choice(["declined", "ignored", None])
        if answer is not None:
            said = {"decision": shown.body.model_dump()["decision"], "service": shown.body.model_dump()["service"]}
            at = shown.occurred_at + HOUR
            told.append(fact("feedback.suggestion_answered", identity=identity, at=at, answer=answer, **said))
    raise AssertionError("there is a last turn")


def presented(chance: Random, identity: str, taste: int, turn: int, *, own: list[str]) -> tuple[Fact, bool]:
    """A suggestion of a service they have not, and whether they will say yes."""
    at = NOW - 120 * DAY + (turn * 30 * 24 + chance.randrange(30 * 24)) * HOUR
    service = chance.choice([f"s{each}" for each in range(10) if f"s{each}" not in own])
    yes = chance.random() < ACCEPTS[int(service[1:]) % 2 == taste]
    decision = f"d-{identity.replace(':', '-')}-{turn}"
    shown = fact("feedback.suggestion_presented", identity=identity, at=at, decision=decision, service=service)
    return shown, yes


@cache
def model() -> Artifact:
    facts = [some for number in range(900) for some in life(number, world="train")[0]]
    return trained(facts, catalogue=CHECKERBOARD, plan=PLAN)


@pytest.mark.long
def test_in_a_planted_world_the_probability_of_a_yes_is_what_was_planted() -> None:
    artifact = model()
    shelf = shelf_of(artifact, CHECKERBOARD)
    told, happened = [], []
    for number in range(1500):
        facts, last, yes = life(number, world="held-out")
        body: Any = last.body
        at, identity = last.occurred_at, f"app:held-out-{number}"
        who = person(*facts, identity=identity, at=at, catalogue=CHECKERBOARD)
        assert who.personal is not None
        shares = personal_shares(shelf, who.personal, own=own_takings(who.personal, CHECKERBOARD), at=at)
        told.append(shares.values[shelf.place[body.service]])
        happened.append(yes)
    probabilities, yes_or_no = np.array(told), np.array(happened)

    assert artifact.manifest.calibrated.on == "answers"
    assert expected_calibration_error(probabilities, yes_or_no) <= 0.03
    assert brier_skill(probabilities, yes_or_no) >= 0.1


@pytest.mark.thorough
def test_the_manifest_says_how_well_the_probabilities_did_on_later_answers() -> None:
    found = model().manifest.calibrated

    assert found.judged_pairs >= 200
    assert found.ece is not None
    assert found.ece <= 0.06
    assert found.brier_skill is not None
    assert found.brier_skill >= 0.1


@pytest.mark.thorough
def test_for_anybody_the_probability_follows_popularity() -> None:
    shelf = shelf_of(model(), CHECKERBOARD)

    values = popularity_shares(shelf).values

    assert np.argsort(values).tolist() == np.argsort(shelf.popularity).tolist()
    assert values[shelf.place["s0"]] == pytest.approx(0.27, abs=0.1)
