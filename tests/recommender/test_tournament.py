"""The tournament: nothing of later reaches earlier, the known best wins, and nothing worse than the best is served."""

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from recommender.blend import Weights
from recommender.interactions import Interactions, Numbers, PersonRow, interactions
from recommender.rankers.protocol import Arrays, Plan, Progress, Ranker, RankerKind, Unsuitable
from recommender.rankers.registry import RANKERS
from recommender.tournament import Outcome, tournament
from recommender.tournament_gate import gate
from recommender.tournament_judging import Cases, Marks, Task, all_scores, best, cases_of, first_half, marks, ndcg
from recommender.tournament_split import Split, cuts_of, leave_one_out, split_by_person, split_by_time, split_for
from tests.builders import DAY, NOW
from tests.recommender.rankers.worlds import Rows

QUICK = [RANKERS[name] for name in ("popularity", "own_frequency", "item_knn", "ease")]


@cache
def habits(people: int = 120) -> Interactions:
    """Everybody takes three services of their own again and again; which, nothing else tells."""
    chance = random.Random(3)
    rows: Rows = []
    for person in range(people):
        own = chance.sample(range(30), 3)
        rows += [(f"p{person:03d}", f"s{chance.choice(own):02d}", NOW - day * DAY, 1.0) for day in range(0, 120, 3)]
    return interactions(rows)


@cache
def clubs(people: int = 150) -> Interactions:
    """Five clubs take eight services each, one after the other, in an order of each person's own."""
    chance = random.Random(5)
    rows: Rows = []
    for person in range(people):
        for place, service in enumerate(chance.sample(range(8), 8)):
            at = NOW - (8 - place) * 10 * DAY - chance.randrange(DAY)
            rows.append((f"p{person:03d}", f"s{person % 5}-{service}", at, 1.0))
    return interactions(rows)


def quarters(data: Interactions) -> Split:
    return split_by_time(data, validate_from=NOW - 40 * DAY, test_from=NOW - 20 * DAY)


@cache
def outcome_of(world: str) -> Outcome:
    return tournament(quarters({"habits": habits, "clubs": clubs}[world]()), kinds=QUICK)


# What is known and what is asked


@pytest.mark.parametrize(
    "split",
    [
        quarters(clubs()),
        split_by_person(clubs(), seed=None),
        split_by_person(clubs(), seed=1),
        leave_one_out(clubs(), seed=1),
    ],
)
def test_no_row_is_both_known_and_asked(split: Split) -> None:
    def rows(data: Interactions) -> set[tuple[int, int, int]]:
        return set(zip(data.person.tolist(), data.item.tolist(), data.at.tolist(), strict=True))

    test, validation = split.test, split.validation
    assert len(test.taken)
    assert len(validation.taken)
    assert rows(test.known).isdisjoint(rows(test.taken))
    assert rows(validation.known).isdisjoint(rows(validation.taken))
    assert (rows(validation.known) | rows(validation.taken)).isdisjoint(rows(test.taken))


def test_by_time_nothing_known_is_later_than_what_is_asked() -> None:
    for exam in (quarters(clubs()).validation, quarters(clubs()).test):
        assert exam.known.newest < exam.taken.at.min()


def test_by_person_nothing_known_of_them_is_later_than_what_is_asked() -> None:
    exam = split_by_person(clubs(), seed=None).test

    for person in range(len(exam.known.people)):
        known, asked = exam.known.at[exam.known.person == person], exam.taken.at[exam.taken.person == person]
        assert known.max() <= asked.min()


def test_one_item_is_held_back_of_a_third_and_another_third_stays_whole() -> None:
    data = clubs()
    split = leave_one_out(data, seed=1)
    asked = [np.unique(exam.taken.person) for exam in (split.validation, split.test)]

    assert [len(exam.taken) for exam in (split.validation, split.test)] == [50, 50]
    assert not set(asked[0]) & set(asked[1])
    assert leave_one_out(data, seed=2).test.taken.person.tolist() != split.test.taken.person.tolist()


def test_data_without_times_are_split_by_what_they_are() -> None:
    ownership = [(f"p{n}", f"s{k}", 0, 1.0) for n in range(30) for k in range(4)]
    again = [*ownership, *ownership]

    assert "one item held back" in split_for(interactions(ownership), order="none", seed=1).how
    assert "by chance" in split_for(interactions(again), order="none", seed=1).how


def test_where_hardly_anyone_asked_was_known_before_each_persons_last_is_asked() -> None:
    #   everybody comes once, for a day, and never again
    visits: Rows = [(f"p{n:03d}", f"s{k}", NOW + n * DAY + k, 1.0) for n in range(100) for k in range(8)]

    assert split_for(interactions(visits), order="time", seed=1).how == "each person's last"
    assert split_for(clubs(), order="time", seed=1).how == "one moment for everybody"


def test_one_day_given_is_a_validation_as_long_as_the_test() -> None:
    split = split_for(clubs(), order="time", seed=1, test_from=NOW - 20 * DAY)
    length = clubs().newest + 1 - (NOW - 20 * DAY)

    assert split.validation.known.newest < NOW - 20 * DAY - length <= int(split.validation.taken.at.min())


def test_what_everybody_had_when_counting_began_is_all_known_and_what_came_later_is_asked() -> None:
    #   nine of ten rows are the holdings of the first month
    rows: Rows = [(f"p{n:02d}", f"s{k}", NOW, 1.0) for n in range(60) for k in range(9)]
    rows += [(f"p{n:02d}", "s9", NOW + (1 + n % 6) * 30 * DAY, 1.0) for n in range(60)]
    split = split_for(interactions(rows), order="time", seed=1)

    assert len(split.validation.known) > 540
    assert len(split.validation.taken)
    assert len(split.test.taken)


@pytest.mark.parametrize("counts", [[1, 1, 98], [98, 1, 1], [1, 98, 1], [40, 40, 20]])
def test_few_moments_are_still_three_stretches(counts: list[int]) -> None:
    at = np.repeat(np.array([10, 20, 30], np.int64), counts)

    assert cuts_of(at) == (20, 30)


# Marks


def test_marks_of_an_order_that_is_known() -> None:
    #   ten of twelve are told; right are the first, the third and the last, which is out of reach
    cases = Cases(
        people=[habits().row(0, NOW)],
        numbers=np.zeros(1, np.int32),
        open=np.ones((1, 12), np.bool_),
        right=np.isin(np.arange(12), [0, 2, 11])[None, :],
    )
    found = marks(-np.arange(12, dtype=np.float64)[None, :], cases)

    assert found.ndcg[0] == pytest.approx((1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3) + 1 / np.log2(4)))
    assert (found.hit[0], found.precision[0], found.macro_recall) == (1.0, 0.2, 0.666667)


def test_ndcg_is_one_for_the_best_order_and_counts_places() -> None:
    hits = np.array([[True, True, False], [False, True, False], [False, False, False]])

    assert ndcg(hits, np.array([2, 1, 1])).tolist() == pytest.approx([1.0, 1 / np.log2(3), 0.0])


def test_closed_items_are_never_told_and_of_equals_the_earlier_is() -> None:
    scores = np.array([[9.0, 1.0, 5.0, 5.0]])

    assert best(scores, np.array([[False, True, True, True]]))[0, :3].tolist() == [2, 3, 1]
    assert ndcg(np.array([[True, False]]), np.array([5]))[0] < 1


def test_who_may_have_what_limits_questions_and_answers() -> None:
    data = clubs()
    pairs = [(person, item) for person in data.people for item in data.items if item.endswith(("-1", "-2"))]
    limited = replace(data, eligible=interactions([], items=data.items, eligible=pairs).eligible)
    cases = cases_of(quarters(limited).test, people_max=1000, cells_max=10**9)["new"]

    assert 0 < cases.right.sum() < cases_of(quarters(data).test, people_max=1000, cells_max=10**9)["new"].right.sum()
    assert not (cases.right & ~cases.open).any()


def test_what_is_taken_once_is_no_question_to_whoever_has_it() -> None:
    exam = quarters(habits()).test
    once = np.arange(len(exam.known.items)) % 2 == 0
    cases = cases_of(replace(exam, once=once), people_max=1000, cells_max=10**9)
    had = exam.known.taken.toarray() > 0

    for found in cases.values():
        assert not (found.open & had[found.numbers] & once).any()
        assert not (found.right & ~found.open).any()
    repeat = cases["repeat"]
    assert (repeat.open | (had[repeat.numbers] & once)).all(), "nothing else is closed"


# Who wins


def test_in_a_world_of_habits_own_frequency_is_served_for_repeats() -> None:
    outcome = outcome_of("habits")

    assert max(outcome.recipe.repeat.items(), key=lambda pair: pair[1])[0].startswith("own_frequency")
    assert outcome.verdicts["repeat"].served.hit_rate_at_3.mean > 0.95
    assert outcome.verdicts["repeat"].served.ndcg_at_10.mean > 2 * (
        outcome.verdicts["repeat"].parts["popularity"].ndcg_at_10.mean
    )


def test_in_a_world_of_clubs_what_others_of_the_club_took_is_served() -> None:
    outcome = outcome_of("clubs")

    assert set(outcome.verdicts) == {"new"}, "nobody takes anything twice"
    assert sum(worth for label, worth in outcome.recipe.new.items() if label.startswith(("item_knn", "ease"))) > 0.5
    assert outcome.verdicts["new"].served.hit_rate_at_3.mean > 0.95


@pytest.mark.parametrize("world", ["habits", "clubs"])
def test_what_is_served_is_nowhere_worse_than_the_best_part(world: str) -> None:
    for verdict in outcome_of(world).verdicts.values():
        assert verdict.served.ndcg_at_10.mean >= max(part.ndcg_at_10.mean for part in verdict.parts.values()) - 1e-6


def test_the_same_data_give_the_same_outcome() -> None:
    assert tournament(quarters(clubs()), kinds=QUICK) == tournament(quarters(clubs()), kinds=QUICK)


def test_with_few_people_popularity_is_served_and_the_reason_said() -> None:
    few = interactions([(f"p{n}", f"s{k}", NOW + (n * k) % 7 * DAY, 1.0) for n in range(6) for k in range(5)])
    outcome = tournament(split_for(few, order="time", seed=1), kinds=QUICK)

    assert (dict(outcome.recipe.repeat), dict(outcome.recipe.new)) == ({"popularity": 1.0}, {"popularity": 1.0})
    assert any("people" in reason and "popularity" in reason for reason in outcome.reasons)


def test_weights_are_not_chosen_by_a_handful_of_people() -> None:
    #   five people take something in the time to choose by, everybody in the time to judge by
    rows: Rows = [
        (f"p{n:02d}", f"s{n % 5}-{k}", NOW - (60 - 10 * k) * DAY, 1.0)
        for n in range(100)
        for k in range(6)
        if n < 5 or k != 3
    ]
    split = split_by_time(interactions(rows), validate_from=NOW - 30 * DAY, test_from=NOW - 20 * DAY)
    outcome = tournament(split, kinds=QUICK)

    assert any("only 5 people to choose by" in reason for reason in outcome.reasons)
    assert outcome.verdicts["new"].people == 100


def test_nothing_is_judged_by_a_handful_of_people() -> None:
    rows: Rows = [
        (f"p{n:02d}", f"s{n % 5}-{k}", NOW - (60 - 10 * k) * DAY, 1.0)
        for n in range(100)
        for k in range(6)
        if n < 5 or k < 4
    ]
    split = split_by_time(interactions(rows), validate_from=NOW - 30 * DAY, test_from=NOW - 20 * DAY)
    outcome = tournament(split, kinds=QUICK)

    assert dict(outcome.recipe.new) == {"popularity": 1.0}
    assert any("only 5 people are there to judge by" in reason for reason in outcome.reasons)


@pytest.mark.parametrize("services", [2, 3])
def test_a_tiny_catalogue_is_no_failure(services: int) -> None:
    rows: Rows = [(f"p{n:02d}", f"s{n % services}", NOW - n * DAY, 1.0) for n in range(90)]
    rows += [(f"p{n:02d}", f"s{(n + 1) % services}", NOW - n * DAY + 1, 1.0) for n in range(90)]
    outcome = tournament(split_for(interactions(rows), order="time", seed=1))

    for verdict in outcome.verdicts.values():
        assert 0 <= verdict.served.ndcg_at_10.mean <= 1


# The gate


class _Fixed:
    """Says the same to everybody."""

    def __init__(self, scores: Numbers) -> None:
        self.name = "fixed"
        self._scores = scores

    def scores(self, person: PersonRow) -> Numbers:
        return self._scores.copy()

    def arrays(self) -> Arrays:
        return {"scores": self._scores}


def _repeats() -> dict[Task, Cases]:
    return {"repeat": cases_of(quarters(habits()).test, people_max=1000, cells_max=10**9)["repeat"]}


def _alone(parts: Mapping[str, Ranker], cases: Mapping[Task, Cases]) -> dict[Task, dict[str, Marks]]:
    return {
        task: {label: marks(all_scores(part, asked), asked) for label, part in parts.items()}
        for task, asked in cases.items()
    }


def test_the_gate_refuses_what_is_worse_on_the_test_and_serves_the_best_part() -> None:
    test = _repeats()
    taken = np.bincount(quarters(habits()).test.taken.item, minlength=30).astype(float)
    parts: dict[str, Ranker] = {"good": _Fixed(taken), "bad": _Fixed(-taken), "popularity": _Fixed(np.zeros(30))}
    wanted: dict[Task, list[Weights]] = {"repeat": [{"bad": 1.0}]}
    passed = gate(wanted, parts, cases=test, alone=_alone(parts, test))
    blend = passed.contest.blend

    assert (dict(blend.repeat), dict(blend.new)) == ({"good": 1.0}, {"good": 1.0})
    assert any("refused" in reason and "bad" in reason for reason in passed.reasons)
    assert passed.contest.worst >= 0


def test_where_the_gate_refuses_a_part_the_blend_in_reserve_comes_before_the_best_part() -> None:
    test = _repeats()
    taken = np.bincount(quarters(habits()).test.taken.item, minlength=30).astype(float)
    parts: dict[str, Ranker] = {"good": _Fixed(taken), "bad": _Fixed(-taken), "popularity": _Fixed(np.zeros(30))}
    reserve = {"bad": 0.2, "good": 0.8}
    wanted: dict[Task, list[Weights]] = {"repeat": [{"bad": 1.0}, reserve]}
    passed = gate(wanted, parts, cases=test, alone=_alone(parts, test))

    assert dict(passed.contest.blend.repeat) == reserve


def test_who_is_asked_and_who_is_of_a_half_follows_no_order_of_names() -> None:
    #   people of two kinds in turn, as whoever makes up data numbers them
    people = 401
    rows: Rows = [(f"p{n:03d}", f"s{k}", NOW - (9 - k) * DAY, 1.0) for n in range(people) for k in range(9)]
    asked = cases_of(
        quarters(interactions(rows, items=[f"s{k}" for k in range(9)])).test, people_max=201, cells_max=10**9
    )

    for among in (
        asked["new"].numbers,
        asked["new"].half(0).numbers,
        np.flatnonzero(first_half(np.arange(people, dtype=np.int32))),
    ):
        assert 0.35 < (among % 2).mean() < 0.65


def test_the_gate_lets_pass_what_is_as_good() -> None:
    test = _repeats()
    taken = np.bincount(quarters(habits()).test.taken.item, minlength=30).astype(float)
    parts: dict[str, Ranker] = {"good": _Fixed(taken), "as_good": _Fixed(taken * 2), "popularity": _Fixed(np.zeros(30))}
    passed = gate({"repeat": [{"good": 0.5, "as_good": 0.5}]}, parts, cases=test, alone=_alone(parts, test))

    assert dict(passed.contest.blend.repeat) == {"good": 0.5, "as_good": 0.5}
    assert not passed.reasons


def test_the_gate_is_judged_by_people_it_did_not_choose_by() -> None:
    #   what the first half took is the one thing, what the second half took the other: whoever is chosen by a half
    #   is the wrong one for the other half, though it looks perfect to those it was chosen by
    known = habits()
    half = first_half(np.arange(len(known.people), dtype=np.int32))
    people = np.concatenate([np.flatnonzero(half)[:40], np.flatnonzero(~half)[:40]]).astype(np.int32)
    wants = np.zeros((80, 30), np.bool_)
    wants[np.arange(80), np.repeat([0, 1], 40)] = True
    asked = Cases(
        people=[known.row(int(person), NOW) for person in people],
        numbers=people,
        open=np.ones((80, 30), np.bool_),
        right=wants,
    )
    ahead = np.arange(30.0, 0.0, -1.0)
    other = ahead.copy()
    other[[0, 1]] = other[[1, 0]]
    parts: dict[str, Ranker] = {"one": _Fixed(ahead), "other": _Fixed(other), "popularity": _Fixed(-ahead)}
    test: dict[Task, Cases] = {"repeat": asked}
    passed = gate({"repeat": [{"one": 1.0}]}, parts, cases=test, alone=_alone(parts, test))

    reached = passed.contest.marks["repeat"].ndcg.mean()
    assert reached == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert passed.held_out["repeat"].served.mean == pytest.approx(1 / np.log2(3), abs=1e-6)
    assert passed.held_out["repeat"].difference.mean == 0


def test_a_part_that_diverges_on_the_longer_data_is_left_out_with_its_reason() -> None:
    seen: list[int] = []

    def at_first_only(data: Interactions, *, plan: Plan, progress: Progress) -> _Fixed:
        seen.append(len(data))
        if len(seen) > 1:
            raise Unsuitable("it diverged")
        return _Fixed(np.bincount(quarters(habits()).validation.taken.item, minlength=30).astype(float))

    kind = RankerKind(name="fickle", fit=at_first_only, from_arrays=lambda arrays: _Fixed(np.asarray(arrays["scores"])))
    outcome = tournament(quarters(habits()), kinds=[RANKERS["popularity"], kind])

    assert outcome.unsuitable == {"fickle": "it diverged"}
    assert "fickle" not in {*outcome.recipe.repeat, *outcome.recipe.new}


def test_marks_see_the_digits_by_which_ties_are_broken() -> None:
    #   beside what is taken often, what orders the rest is nine digits down
    cases = Cases(
        people=[habits().row(0, NOW)],
        numbers=np.zeros(1, np.int32),
        open=np.ones((1, 3), np.bool_),
        right=np.array([[False, False, True]]),
    )
    scores = all_scores(_Fixed(np.array([4.0, 4.0, 4.0 + 1e-9])), cases)

    assert best(scores, cases.open)[0, 0] == 2
