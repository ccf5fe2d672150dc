"""A run counts only against the models, so the models must tell a wrong store from a right one."""

import numpy as np
import orjson
import pytest

from benchmarks.model import FIELDS, Expected, differences, exact, inexact, tally_of
from benchmarks.workload import POISON, REPEATS, Message, Workload, messages, people
from events.fact import FactUndecodable, decode_fact
from profiles.facet import Facet
from profiles.fold import fold

SMALL = Workload(events=4000, people=200)


@pytest.fixture(scope="module")
def told() -> list[Message]:
    return messages(SMALL)


def folded(told: list[Message]) -> Expected:
    facets: dict[str, Facet] = {}
    set_aside = 0
    for message in told:
        try:
            fact = decode_fact(message.fact)
        except FactUndecodable:
            set_aside += 1
            continue
        answer = fold(facets.get(fact.identity, Facet()), fact)
        if answer.fate == "applied":
            facets[fact.identity] = answer.facet
        set_aside += answer.fate not in {"applied", "repeated"}
    return Expected({identity: tally_of(facet) for identity, facet in facets.items()}, set_aside)


def test_the_fold_and_the_model_agree_without_sharing_code(told: list[Message]) -> None:
    assert differences(exact(told), folded(told)) == 0


def test_the_model_knows_when_a_person_is_full() -> None:
    everyone = messages(Workload(events=9000, people=3, person_max=None))
    found = folded(everyone)
    assert found.set_aside > 9000 * POISON * 3
    assert differences(exact(everyone), found) == 0


def test_one_fact_lost_is_a_difference(told: list[Message]) -> None:
    known = [message for message in told if message.happening is not None]
    assert differences(exact(told), folded([message for message in told if message is not known[-1]])) == 1


def test_one_fact_counted_twice_is_a_difference(told: list[Message]) -> None:
    found = exact(told)
    identity = next(iter(found.people))
    twice = {**found.people, identity: {**found.people[identity], "ids": found.people[identity]["ids"] + 1}}
    assert differences(exact(told), Expected(twice, found.set_aside)) == 1


def test_a_record_set_aside_in_silence_is_a_difference(told: list[Message]) -> None:
    found = exact(told)
    assert differences(found, Expected(found.people, found.set_aside - 1)) == 1


def test_a_repeat_counts_again_in_the_inexact_model_only(told: list[Message]) -> None:
    keys = [message.happening.event_key for message in told if message.happening is not None]
    repeats = len(keys) - len(set(keys))
    assert repeats > SMALL.events * REPEATS / 2
    counted = [count for count, _ in FIELDS.values()]
    once, again = (
        sum(tally.get(field, 0) for tally in model(told).people.values() for field in counted)
        for model in (exact, inexact)
    )
    assert again - once == repeats


def test_the_same_seed_gives_the_same_records_and_another_seed_others(told: list[Message]) -> None:
    assert messages(SMALL) == told
    assert messages(Workload(events=4000, people=200, seed=2)) != told


def test_both_forms_of_a_record_say_the_same(told: list[Message]) -> None:
    message = next(message for message in told if message.happening is not None)
    fact, said = decode_fact(message.fact), orjson.loads(message.json)
    assert (fact.type, fact.identity, fact.occurred_at) == (said["type"], said["identity"], said["occurred_at"])
    assert {"channel", *said["body"]} == fact.body.model_fields_set


def test_nobody_has_more_events_than_the_cut() -> None:
    drawn = people(Workload(events=500, people=5, person_max=100), np.random.default_rng(1))
    first = [next(drawn) for _ in range(500)]
    assert {first.count(person) for person in range(5)} == {100}
