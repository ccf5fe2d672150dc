"""The evidence index: whole after any crash, made of nothing that is not evidence, and never short of anything."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.evidence import EVIDENCE_TYPES, EvidenceUnavailable, evidence_of
from consent.evidence_index import EvidenceIndex
from consent.purposes import PROFILE, SUGGEST
from events.fact import Fact
from events.following import Stretch, follow
from events.history import History
from events.identity import Described
from events.position import Position
from events.vocabulary import BODIES
from tests.builders import HOUR, NOW, consent, fact, linked, pseudonym, purchased, unlinked
from tests.officer.evidence_world import archive, evidence_in, index_of, stretches
from tests.servers import ROOT

APP, CARD, PHONE = "app:42", "card:7", "phone:+4930123456"


def keys(index: EvidenceIndex, identity: str = APP) -> list[bytes]:
    return [entry.fact.event_key for entry in evidence_in(index, [pseudonym(identity)])[pseudonym(identity)]]


def act(number: int, identity: str = APP) -> Fact:
    return consent("given", PROFILE, identity=identity, at=NOW + number, event_id=f"act-{number}")


def stretch(*facts: Fact, start: int = 0, end: int | None = None, partition: int = 3) -> Stretch:
    placed = [(Position(1, partition, start + n), each) for n, each in enumerate(facts)]
    return Stretch(epoch=1, partition=partition, start=start, end=end or start + len(facts), facts=placed)


@pytest.fixture
def index(tmp_path: Path) -> EvidenceIndex:
    return EvidenceIndex(tmp_path / "evidence.sqlite")


def test_a_person_s_evidence_comes_in_the_order_of_the_log_with_where_it_stands(index: EvidenceIndex) -> None:
    index.take(stretch(act(2), act(1)))

    found = evidence_in(index, [pseudonym(APP), pseudonym(CARD)])

    assert [entry.fact for entry in found[pseudonym(APP)]] == [act(2), act(1)]
    assert [entry.position for entry in found[pseudonym(APP)]] == [Position(1, 3, 0), Position(1, 3, 1)]
    assert found[pseudonym(CARD)] == []


def test_a_stretch_that_comes_again_whole_or_in_part_adds_nothing(index: EvidenceIndex) -> None:
    index.take(stretch(act(0), act(1)))
    index.take(stretch(act(0), act(1)))
    index.take(stretch(act(1), act(2), start=1))

    assert keys(index) == [act(n).event_key for n in range(3)]
    assert index.next_offset(1, 3) == 3


def test_a_stretch_that_would_leave_a_hole_is_refused(index: EvidenceIndex) -> None:
    index.take(stretch(act(0)))

    with pytest.raises(ValueError, match="leaves nothing out"):
        index.take(stretch(act(2), start=2))
    assert index.next_offset(1, 3) == 1


def test_partitions_and_epochs_have_a_place_each(index: EvidenceIndex) -> None:
    index.take(stretch(act(0), end=7))
    index.take(Stretch(epoch=2, partition=3, start=0, end=2, facts=[]))

    with index.reading() as evidence:
        assert evidence.ends() == {(1, 3): 7, (2, 3): 2}
    assert index.next_offset(1, 4) == 0


def test_what_history_holds_is_followed_to_its_end(tmp_path: Path, index: EvidenceIndex) -> None:
    history = History(tmp_path / "history")
    archive(history, [act(0), purchased(), *linked(APP, CARD), act(1, CARD)])
    follow(history, index, types=EVIDENCE_TYPES)
    archive(history, [act(2)])
    follow(history, index, types=EVIDENCE_TYPES)

    assert keys(index) == [act(0).event_key, linked(APP, CARD)[0].event_key, act(2).event_key]
    assert keys(index, CARD) == [linked(APP, CARD)[1].event_key, act(1).event_key]


def test_only_what_closes_a_door_or_names_the_law_is_kept_of_a_description() -> None:
    said = fact("identity.described", attributes={"country": "DE", "minor": True, "plan": "gold", "health": "poor"})
    kept = evidence_of(said)

    assert kept is not None
    assert isinstance(kept.body, Described)
    assert kept.body.attributes == {"country": "DE", "minor": True}
    assert (kept.event_key, kept.digest) == (said.event_key, said.digest)
    assert evidence_of(fact("identity.described", attributes={"plan": "gold"})) is None


def test_every_act_link_and_right_is_evidence_and_no_purchase_is() -> None:
    wanted = {name for name in BODIES if name.partition(".")[0] in {"consent", "rights"}}

    assert wanted | {"identity.linked", "identity.unlinked", "identity.described"} == EVIDENCE_TYPES
    assert evidence_of(purchased()) is None


def test_identities_that_were_ever_linked_are_one_household(tmp_path: Path) -> None:
    index = index_of(
        tmp_path, act(1), act(2, CARD), act(3, PHONE), *linked(CARD, PHONE), *unlinked(CARD, PHONE, at=NOW + HOUR)
    )

    with index.reading() as evidence:
        households = dict(evidence.connection.execute("SELECT name, household FROM identity").fetchall())
    assert households[pseudonym(CARD)] == households[pseudonym(PHONE)] != households[pseudonym(APP)]


@given(links=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda ends: ends[0] != ends[1])))
@settings(max_examples=25, deadline=None)
def test_households_are_what_the_links_connect_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[int, int]]
) -> None:
    facts = [half for one, other in links for half in linked(f"app:{one}", f"app:{other}")]
    index = index_of(tmp_path_factory.mktemp("households"), *facts)
    groups = {n: {n} for n in range(8)}
    for one, other in links:
        joined = groups[one] | groups[other]
        groups.update(dict.fromkeys(joined, joined))

    with index.reading() as evidence:
        households = dict(evidence.connection.execute("SELECT name, household FROM identity").fetchall())
    for one in {end for pair in links for end in pair}:
        same = {n for n in range(8) if households.get(pseudonym(f"app:{n}")) == households[pseudonym(f"app:{one}")]}
        assert same == groups[one]


def test_identities_that_agreed_to_a_purpose_are_listed_page_by_page(tmp_path: Path) -> None:
    people = [f"app:{n}" for n in range(5)]
    refused = consent("refused", PROFILE, identity="app:no")
    index = index_of(tmp_path, *(act(n, who) for n, who in enumerate(people)), refused)
    expected = sorted(map(pseudonym, people))

    with index.reading() as evidence:
        first = evidence.agreed_once(PROFILE, after="", limit=3)
        assert first + evidence.agreed_once(PROFILE, after=first[-1], limit=3) == expected
        assert evidence.agreed_once(SUGGEST, after="", limit=3) == []


def test_without_an_index_there_is_no_answer_rather_than_an_empty_one(index: EvidenceIndex) -> None:
    with pytest.raises(EvidenceUnavailable):
        evidence_in(index, [pseudonym(APP)])
    assert index.next_offset(1, 0) == 0
    assert not index.path.exists()


def test_a_damaged_file_gives_no_answer(index: EvidenceIndex) -> None:
    index.path.write_bytes(b"this is not a database, whatever it is" * 100)

    with pytest.raises(EvidenceUnavailable):
        evidence_in(index, [pseudonym(APP)])
    with pytest.raises(EvidenceUnavailable):
        index.take(stretch(act(0)))


def test_an_index_of_another_format_is_made_anew(index: EvidenceIndex) -> None:
    index.take(stretch(act(0), act(1)))
    with closing(sqlite3.connect(index.path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(EvidenceUnavailable, match="another format"):
        evidence_in(index, [pseudonym(APP)])
    assert index.next_offset(1, 3) == 0
    index.take(stretch(act(0)))
    assert keys(index) == [act(0).event_key]


DYING = """
import os, signal, sys
from pathlib import Path
from consent.evidence_index import EvidenceIndex
from events.following import Stretch
from tests.officer.test_evidence_index import act, stretch

class Deadly(list):
    def __iter__(self):
        for number, each in enumerate(super().__iter__()):
            if number == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            yield each

whole = stretch(*map(act, range(6)))
EvidenceIndex(Path(sys.argv[1])).take(
    Stretch(epoch=1, partition=3, start=0, end=6, facts=Deadly(whole.facts)))
"""


@pytest.mark.thorough
@pytest.mark.parametrize("after", [1, 3, 5])
def test_killed_in_the_middle_of_a_stretch_it_holds_nothing_of_it_and_goes_on(index: EvidenceIndex, after: int) -> None:
    index.take(stretch(act(0)))

    killed = subprocess.run([sys.executable, "-c", DYING, str(index.path), str(after)], cwd=ROOT, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert index.next_offset(1, 3) == 1
    assert keys(index) == [act(0).event_key]
    index.take(stretch(*map(act, range(6))))
    assert keys(index) == [act(n).event_key for n in range(6)]


def test_two_that_follow_at_once_take_each_fact_once(tmp_path: Path) -> None:
    facts = [act(n, f"app:{n % 3}") for n in range(12)]
    one, other = index_of(tmp_path, *facts[:6]), EvidenceIndex(tmp_path / "evidence.sqlite")
    for each in stretches(facts):
        other.take(each)
        one.take(each)

    assert sorted(key for n in range(3) for key in keys(one, f"app:{n}")) == sorted(each.event_key for each in facts)
