"""The dual: where it is allowed the same histories do change what comes out, so the harness looks at something."""

from random import Random

import pytest

from consent.purposes import PURPOSES, SENSITIVE, SUGGEST, TRAIN
from tests.noninterference.artifacts import CLOSABLE, files, taking_history, without_anyone
from tests.noninterference.crowd import crowd, model
from tests.noninterference.histories import DRAWN, PLANTS, plain_history, plant, private_facts, retold
from tests.noninterference.messages import occasion_pair, reached
from tests.noninterference.pairs import DIFFERENCES, answered, answers, card, drawn_pair
from tests.noninterference.people import People
from tests.noninterference.refusals import NEIGHBOUR, PERSON, REFUSALS, TIES, agreed, given

pytestmark = pytest.mark.thorough

PAIRS = 400
TRAINED = 40


def test_the_model_that_answers_is_one_that_looks_at_people() -> None:
    assert model().manifest.ranker != "popularity"


def test_with_consent_a_planted_need_changes_the_ranked_list() -> None:
    changed = 0
    for number in range(PAIRS):
        chance = Random(number)
        yes = [*agreed(SUGGEST), given(SENSITIVE)]
        told = plain_history(chance, PERSON)
        planted = plant(chance, sorted(PLANTS)[number % len(PLANTS)], PERSON)
        without, with_need = (
            [
                each.service
                for each in answered(
                    People([*yes, *facts], held={}).view(PERSON), channel="desk", k=5
                ).answer.suggestions
            ]
            for facts in (told, [*told, *planted])
        )
        changed += without != with_need

    assert changed >= 0.95 * PAIRS, f"{changed} of {PAIRS}"


def test_with_consent_what_a_person_took_changes_the_model() -> None:
    histories = ([given(TRAIN), *taking_history(Random(number), PERSON)] for number in range(TRAINED))
    changed = sum(files(crowd(16), own) != without_anyone(16) for own in histories)

    assert changed >= 0.95 * TRAINED, f"{changed} of {TRAINED}"


def test_with_consent_the_same_fields_change_answers_and_cards() -> None:
    changed = 0
    for number in range(60):
        chance = Random(number)
        yes = [given(purpose) for purpose in sorted(PURPOSES)]
        told = private_facts(chance, PERSON)
        one, other = (
            {**answers(People([*yes, *facts], held={}), channel="desk", k=5), **card(People([*yes, *facts], held={}))}
            for facts in (told, retold(chance, told, closed=frozenset(CLOSABLE)))
        )
        changed += one["own answer"] != other["own answer"] or one["own card"] != other["own card"]

    assert changed >= 0.75 * 60, f"{changed} of 60"


async def test_where_it_is_allowed_the_same_occasion_is_written_about_and_claimed() -> None:
    for number in range(20):
        pair = occasion_pair(Random(number))
        found = await reached(pair.one, pair)

        assert (found["own messages"].count(b"push"), found["own claims"].count(b"true")) == (0, 1), "the desk's alone"
        if pair.tie in ("none", "household"):
            assert b'"channel":"push"' in found["others' messages"]
            assert b"true" in found["others' claims"]


def test_the_pairs_are_refused_in_every_way_and_differ_in_every_way() -> None:
    drawn = [drawn_pair(Random(number)) for number in range(400)]

    assert {pair.shared.refusal for pair in drawn} == set(REFUSALS)
    assert {pair.difference for pair in drawn} == set(DIFFERENCES)
    assert {pair.tie for pair in drawn} == set(TIES)
    assert sum(pair.tries for pair in drawn) < 1.5 * len(drawn), "most pairs agree in their deny-only facts at once"
    assert all(answered(pair.one.view(PERSON), channel=None, k=3).answer.mode == "general" for pair in drawn)
    assert any(answered(pair.one.view(NEIGHBOUR), channel=None, k=3).answer.mode == "personal" for pair in drawn)


def test_histories_are_drawn_from_every_type_there_is() -> None:
    chance = Random(1)
    types = {each.type for _ in range(3000) for each in plain_history(chance, PERSON)}

    assert types == set(DRAWN)
