from itertools import islice

from tests.chaos.plan import KILLS, OTHERS, SECONDS, plan
from tests.chaos.site import SESSION_S


def test_the_same_seed_makes_the_same_plan() -> None:
    one, again, other = (list(islice(plan(seed=seed, every=3), 200)) for seed in (5, 5, 6))

    assert one == again != other


def test_every_other_fault_comes_before_any_comes_again() -> None:
    steps = [step.fault for step in islice(plan(seed=1, every=2), 2 * len(OTHERS) + len(OTHERS) + 1)]

    assert sorted(fault for fault in steps if fault in OTHERS) == sorted(OTHERS)


def test_kills_stand_between_the_copy_of_a_store_and_its_return() -> None:
    faults = [step.fault for step in islice(plan(seed=3, every=2), 60)]
    copied = faults.index("copy store")

    assert faults[copied + 3] == "restore older store"
    assert all(fault in KILLS for fault in faults[copied + 1 : copied + 3])


def test_a_frozen_worker_is_away_for_longer_than_its_session() -> None:
    shortest, _ = SECONDS["freeze worker"]

    assert shortest > SESSION_S
    assert all(step.seconds >= shortest for step in islice(plan(seed=2, every=1), 300) if step.fault == "freeze worker")
