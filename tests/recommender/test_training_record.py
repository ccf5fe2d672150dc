"""Who left since a training is found by asking the door again; the record names nobody, and is signed."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from consent.ledger_note import make_signer
from consent.purposes import PROFILE, SENSITIVE, TRAIN
from consent.rules import shipped_rules
from events.fact import Fact
from events.position import Position
from recommender.canonical import canonical_json
from recommender.model_card import model_card
from recommender.training import Trained, train
from recommender.training_record import Bounded, Left, is_signed, left_since, signed
from tests.builders import DAY, NOW, consent, fact, pseudonym
from tests.recommender.worlds import CHECKERBOARD, CODE, SMALL, agreed, log_of, subscribed, taken_by

PEOPLE = [some for customer in range(20) for some in taken_by(customer)]
PLAN = replace(SMALL, kinds=("popularity", "item_knn"))
LATER = NOW + 10 * DAY


def made(*more: Fact) -> Trained:
    return train(log_of([*PEOPLE, *more]), catalogue=CHECKERBOARD, at=NOW, code=CODE, plan=PLAN, rules=shipped_rules())


@cache
def usual() -> Trained:
    return made()


def left(*more: Fact, held: dict[str, frozenset[str]] | None = None, **changed: Any) -> Left:
    """Who left if these facts followed those that were trained on."""
    said: dict[str, Any] = {
        "policy": shipped_rules().hash,
        "policy_now": shipped_rules().hash,
        "record": usual().record,
        **changed,
    }
    record = said.pop("record")
    return left_since(log_of([*PEOPLE, *more]), record, at=LATER, rules=shipped_rules(), held=held or {}, **said)


def test_nobody_left_where_nothing_was_taken_back() -> None:
    assert not left()
    assert not left(subscribed("s9", identity="app:3", at=NOW + DAY), *agreed(TRAIN, identity="app:99", at=NOW + DAY))


@pytest.mark.parametrize(
    "said",
    [
        consent("withdrawn", TRAIN, identity="app:3", at=NOW + DAY),
        consent("withdrawn", PROFILE, identity="app:3", at=NOW + DAY),
        fact("rights.erased", identity="app:3", at=NOW + DAY, request_id="r"),
    ],
)
def test_who_withdrew_or_was_erased_has_left(said: Fact) -> None:
    assert left(said)
    assert left(said) == Left(1)
    assert str(left(said)) == "1 of those it was trained on have left since"


def test_an_erasure_counts_though_what_was_allowed_is_not_in_history_any_more() -> None:
    erased = fact("rights.erased", identity="app:3", at=NOW + DAY, request_id="r")
    rows = [
        (position, some)
        for position, some in log_of([*PEOPLE, erased])()
        if some.identity != pseudonym("app:3") or some is erased
    ]

    found = left_since(
        lambda: iter(rows),
        usual().record,
        policy=shipped_rules().hash,
        policy_now=shipped_rules().hash,
        at=LATER,
        rules=shipped_rules(),
        held={},
    )

    assert found == Left(1)


def test_a_purpose_that_was_closed_in_between_counts_though_it_is_open_again() -> None:
    no = consent("withdrawn", PROFILE, identity="app:3", at=NOW + DAY)
    yes = consent("given", PROFILE, identity="app:3", at=NOW + 2 * DAY, event_id="again")

    assert left(no, yes) == Left(1)


def test_a_withdrawal_that_is_not_on_the_log_yet_counts() -> None:
    assert left(held={pseudonym("app:3"): frozenset({TRAIN})}) == Left(1)


def test_who_never_allowed_it_has_not_left() -> None:
    stranger = [*agreed(PROFILE, identity="app:99"), consent("withdrawn", PROFILE, identity="app:99", at=NOW + DAY)]

    assert not left(*stranger)
    assert not left(consent("withdrawn", SENSITIVE, identity="app:3", at=NOW + DAY))


def test_an_agreement_that_has_run_out_is_one_that_was_left() -> None:
    until = consent("given", TRAIN, identity="app:77", at=NOW - DAY, expires_at=NOW + DAY)
    world = [until, *agreed(PROFILE, identity="app:77"), subscribed("s1", identity="app:77")]

    found = left_since(
        log_of([*PEOPLE, *world]),
        made(*world).record,
        policy=shipped_rules().hash,
        policy_now=shipped_rules().hash,
        at=LATER,
        rules=shipped_rules(),
        held={},
    )

    assert found == Left(1)


def left_after(world: list[Fact], *more: Fact) -> Left:
    """Who left if these facts followed a training that read the world."""
    read = Bounded(log_of(world))
    list(read())
    record = {"ends": read.ends, "snapshot": NOW}
    return left_since(
        log_of([*world, *more]),
        record,
        policy=shipped_rules().hash,
        policy_now=shipped_rules().hash,
        at=LATER,
        rules=shipped_rules(),
        held={},
    )


def test_who_came_back_or_was_erased_before_the_training_has_not_left_since() -> None:
    world = [
        *agreed(TRAIN, PROFILE, identity="app:1"),
        consent("withdrawn", PROFILE, identity="app:1", at=NOW - 2 * DAY),
        consent("given", PROFILE, identity="app:1", at=NOW - DAY, event_id="again"),
        *agreed(TRAIN, identity="app:2"),
        fact("rights.erased", identity="app:2", at=NOW - DAY, request_id="r"),
    ]

    assert left_after(world) == Left(0)
    assert left_after(world, consent("withdrawn", PROFILE, identity="app:1", at=NOW + DAY)) == Left(1)


def test_who_lets_us_train_again_has_not_left() -> None:
    no = consent("withdrawn", TRAIN, identity="app:1", at=NOW + DAY)
    yes = consent("given", TRAIN, identity="app:1", at=NOW + 2 * DAY, event_id="again")
    world = agreed(TRAIN, PROFILE, identity="app:1")

    assert left_after(world, no, yes) == Left(0)
    assert left_after(world, no) == Left(1)


def test_who_agreed_to_training_alone_leaves_by_withdrawing_that() -> None:
    no = consent("withdrawn", TRAIN, identity="app:1", at=NOW + DAY)

    assert left_after(agreed(TRAIN, identity="app:1"), no) == Left(1)


@pytest.mark.parametrize(
    "changed",
    [{"record": None}, {"record": {"snapshot": NOW}}, {"record": {"ends": {}}}, {"policy_now": "of another day"}],
)
def test_what_cannot_be_told_counts_as_left(changed: dict[str, Any]) -> None:
    found = left(**changed)

    assert found
    assert found.people == 0
    assert found.unknown is not None


def test_what_is_written_while_reading_is_not_seen_by_the_next_reading() -> None:
    told = [PEOPLE[:10]]

    def reading() -> Iterator[tuple[Position, Fact]]:
        return log_of(told[-1])()

    bounded = Bounded(reading)
    first = list(bounded())
    told.append(PEOPLE)

    assert list(bounded()) == first
    assert len(first) == 10


def test_the_record_counts_by_reason_and_names_nobody() -> None:
    record = made(subscribed("s1", identity="app:99")).record

    assert record["allowed_by"] == {"consent": 20}
    assert record["refused_because"] == {"never_asked": 1}
    assert not any(pseudonym(f"app:{each}") in canonical_json(record).decode() for each in (*range(20), 99))


def test_a_record_is_signed_and_any_change_to_it_shows() -> None:
    signer, other = (make_signer("example.com/ledger", bytes([each]) * 32) for each in (1, 2))
    record = signed(usual().record, [signer])

    assert is_signed(record, signer.verifier)
    assert not is_signed({**record, "people_refused": 7}, signer.verifier)
    assert not is_signed(record, other.verifier)
    assert signed(usual().record, []) == usual().record
    assert not is_signed(usual().record, signer.verifier)


def test_the_card_tells_what_serves_and_whose_data_it_was_made_of() -> None:
    card = model_card(usual().artifact.name, usual().artifact.manifest, record=usual().record, signature="Not signed.")

    assert f"# Model {usual().artifact.name}" in card
    assert f"**{usual().artifact.manifest.ranker}**" in card
    assert "| allowed by consent | 20 |" in card
    assert "what the funnel then serves" in card
    assert "Not signed." in card
