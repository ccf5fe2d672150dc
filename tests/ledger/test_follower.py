"""Facts of the log become entries, once each, whatever is handed over again."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger_follower import LEDGER_TYPES, LedgerFollower, StretchAhead, entry_of, fact_id
from consent.ledger_openings import Place
from events.fact import Fact, encode_fact
from events.following import Follower, Stretch, follow
from events.history import History
from events.memory_log import MemoryRecord
from events.position import Position
from tests.builders import NOW, consent, fact, facts, linked, pseudonym, purchased
from tests.ledger.ledgers import open_ledger, unhurried

ACTS = [
    consent("given", "profile.build", event_id="a"),
    purchased("o-1"),
    consent("withdrawn", "profile.build", event_id="b"),
    linked("app:42", "card:7")[0],
    fact("rights.erased", request_id="r-1", identities=[pseudonym("app:42"), pseudonym("phone:+4930")]),
]


def stretch(start: int, end: int, *, partition: int = 3, facts: list[Fact] | None = None) -> Stretch:
    given = ACTS if facts is None else facts
    positioned = [(Position(1, partition, at), given[at]) for at in range(start, min(end, len(given)))]
    return Stretch(epoch=1, partition=partition, start=start, end=end, facts=positioned)


@pytest.fixture
def follower(tmp_path: Path) -> LedgerFollower:
    return LedgerFollower(open_ledger(tmp_path))


def said(follower: LedgerFollower, offset: int) -> dict[str, Any]:
    return follower.ledger.opening(fact_id(Position(1, 3, offset))).entry


def test_acts_links_and_erasures_are_put_down_and_nothing_else(follower: LedgerFollower) -> None:
    follower.take(stretch(0, 9))

    assert follower.ledger.size == 4
    assert follower.next_offset(1, 3) == 9
    assert said(follower, 0)["kind"] == "consent.given"
    assert said(follower, 2)["content"] == {
        "identity": pseudonym("app:42"),
        "source": "crm",
        "event_key": ACTS[2].event_key.hex(),
        "digest": ACTS[2].digest.hex(),
        "occurred_at": NOW,
        "received_at": NOW,
        "body": {"purpose": "profile.build"},
    }


@unhurried
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), max_size=12))
def test_a_stretch_that_comes_again_adds_nothing(
    tmp_path_factory: pytest.TempPathFactory, stretches: list[tuple[int, int]]
) -> None:
    follower = LedgerFollower(open_ledger(tmp_path_factory.mktemp("ledger")))
    for start, length in stretches:
        place = follower.next_offset(1, 3)
        begin = min(start, place)
        follower.take(stretch(begin, begin + length))
        assert follower.next_offset(1, 3) == max(place, begin + length)

    reached = follower.next_offset(1, 3)
    acts = [at for at, each in enumerate(ACTS[:reached]) if each.type in LEDGER_TYPES]
    assert [said(follower, at)["kind"] for at in acts] == [ACTS[at].type for at in acts]
    assert follower.ledger.size == len(acts)
    follower.ledger.close()


def test_a_stretch_that_leaves_something_out_is_refused(follower: LedgerFollower) -> None:
    follower.take(stretch(0, 2))

    with pytest.raises(StretchAhead, match="epoch 1, partition 3: the ledger has taken up to 2, not up to 3"):
        follower.take(stretch(3, 5))
    assert (follower.ledger.size, follower.next_offset(1, 3)) == (1, 2)


def test_every_partition_and_epoch_has_its_own_place(follower: LedgerFollower) -> None:
    follower.take(stretch(0, 5))
    follower.take(stretch(0, 1, partition=4))
    follower.take(Stretch(epoch=2, partition=3, start=0, end=7, facts=[]))

    places = [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert [follower.next_offset(*each) for each in places] == [5, 1, 7, 0]


def test_the_place_is_kept_with_the_entries(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    LedgerFollower(ledger).take(stretch(0, 3))
    ledger.close()
    again = LedgerFollower(open_ledger(tmp_path))

    assert (again.next_offset(1, 3), again.ledger.size) == (3, 2)


def test_an_erasure_and_both_ends_of_a_link_are_found_by_everybody_in_them(follower: LedgerFollower) -> None:
    follower.take(stretch(0, 5))
    follower.ledger.append([entry_of(Position(9, 0, 0), consent("given", "profile.build", identity="app:other"))])

    gone = follower.ledger.forget([pseudonym("card:7"), pseudonym("phone:+4930")], because="fact:9.0.0")
    assert gone == [2, 3]


@unhurried
@given(facts())
def test_every_fact_there_is_can_be_put_down(some: Fact) -> None:
    made = entry_of(Position(1, 2, 3), some)

    assert json.loads(made.payload())["content"]["event_key"] == some.event_key.hex()
    assert some.identity in made.subjects


def test_it_follows_history(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    history.append(1, 3, 0, 5, [MemoryRecord(at, NOW, b"key", encode_fact(each)) for at, each in enumerate(ACTS)])
    follower: Follower = LedgerFollower(open_ledger(tmp_path / "ledger"))

    assert follow(history, follower, types=LEDGER_TYPES) == 5
    assert follow(history, follower, types=LEDGER_TYPES) == 0
    assert open_ledger(tmp_path / "ledger").size == 4


def test_a_place_without_facts_is_kept_too(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.append([], place=Place(epoch=1, partition=0, next=7))

    assert (ledger.next_offset(1, 0), ledger.size) == (7, 0)
