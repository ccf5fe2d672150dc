"""The index of evidence keeps what facts say sealed, and is read like one in clear."""

from pathlib import Path

import pytest

from consent.evidence import EvidenceUnavailable
from consent.evidence_index import EvidenceIndex
from consent.telling import Confirmations
from events.fact import Fact
from events.following import Stretch
from events.memory_body_keys import MemoryBodyKeys
from events.position import Position
from tests.builders import NOW, consent, fact, pseudonym
from tests.sealing.keys import sealing_over

ME, OTHER = pseudonym("app:42"), pseudonym("app:other")
NOTE = "notice-7c1e"
SAID = [
    consent("given", "profile.build", notice=f"{NOTE}-1"),
    fact("identity.described", attributes={"country": "DE"}),
    consent("given", "suggest.personal", identity="app:other", notice=f"{NOTE}-2"),
    consent("withdrawn", "profile.build", at=NOW + 1),
]


def taken(index: EvidenceIndex, facts: list[Fact]) -> EvidenceIndex:
    placed = [(Position(1, 0, at), each) for at, each in enumerate(facts)]
    index.take(Stretch(epoch=1, partition=0, start=0, end=len(facts), facts=placed))
    index.close()
    return index


def test_a_sealed_index_tells_what_one_in_clear_tells(tmp_path: Path) -> None:
    keys = MemoryBodyKeys()
    sealed = taken(EvidenceIndex(tmp_path / "sealed.sqlite", sealing_over(keys)), SAID)
    clear = taken(EvidenceIndex(tmp_path / "clear.sqlite"), SAID)

    with sealed.reading() as one, clear.reading() as other:
        assert one.of([ME, OTHER]) == other.of([ME, OTHER])
        assert list(one.everything()) == list(other.everything())
        assert one.noes(since=NOW) == other.noes(since=NOW) == SAID[3:]
    told = Confirmations(path=tmp_path / "confirmed.sqlite", recipients=("crm",))
    assert told.unconfirmed(sealed, since=NOW) == told.unconfirmed(clear, since=NOW)


def test_evidence_whose_key_was_destroyed_is_passed_over_and_that_of_others_is_not(tmp_path: Path) -> None:
    keys = MemoryBodyKeys()
    index = taken(EvidenceIndex(tmp_path / "sealed.sqlite", sealing_over(keys)), SAID)
    keys.destroy([ME])

    with EvidenceIndex(index.path, sealing_over(keys)).reading() as read:
        assert read.of([ME]) == {ME: []}
        assert [each.fact for each in read.everything()] == [SAID[2]]


def test_evidence_that_cannot_be_opened_is_not_told_as_none(tmp_path: Path) -> None:
    index = taken(EvidenceIndex(tmp_path / "sealed.sqlite", sealing_over(MemoryBodyKeys())), SAID)

    for blind in (EvidenceIndex(index.path), EvidenceIndex(index.path, sealing_over(MemoryBodyKeys()))):
        with pytest.raises(EvidenceUnavailable), blind.reading() as read:
            read.of([ME])
