"""Whom to ask again: whoever agreed and did not say no since; and a list that allows nothing."""

from functools import partial
from pathlib import Path

import pytest

from consent.door import RefusalReason
from consent.purposes import LEGAL, PROFILE, SUGGEST
from consent.rules import shipped_rules
from events.fact import Fact
from profiles.at_time import person_at
from profiles.renewal import ENDED, Renewal, renewal_of
from tests.builders import DAY, NOW, consent, fact, linked, pseudonym
from tests.officer.evidence_world import evidence_in, index_of

SOON, OLD = 30 * DAY, 700 * DAY


def renewal(folder: Path, *facts: Fact, now: int = NOW, purpose: str = PROFILE) -> Renewal | None:
    index = index_of(folder, *facts)
    view = person_at(pseudonym("app:42"), partial(evidence_in, index), at=now, known_at=now, rules=shipped_rules())
    evidence = [piece for pieces in evidence_in(index, view.members).values() for piece in pieces]
    return renewal_of(view, evidence, purpose=purpose, now=now, soon_ms=SOON, old_ms=OLD)


def ending(at: int) -> Fact:
    return consent("given", PROFILE, at=NOW - 10 * DAY, expires_at=at)


def test_an_agreement_that_ends_soon_is_listed_with_its_end(tmp_path: Path) -> None:
    assert renewal(tmp_path, ending(NOW + SOON)) == Renewal("expiring", NOW - 10 * DAY, NOW + SOON, ())
    assert renewal(tmp_path / "later", ending(NOW + SOON + 1)) is None


def test_an_agreement_that_ended_by_itself_is_listed(tmp_path: Path) -> None:
    found = renewal(tmp_path, ending(NOW))

    assert found is not None
    assert found.because == "expired"


def test_of_two_agreements_the_last_is_told(tmp_path: Path) -> None:
    earlier = consent("given", PROFILE, at=NOW - 20 * DAY, expires_at=NOW + DAY)

    assert renewal(tmp_path, ending(NOW + SOON), earlier) == Renewal("expiring", NOW - 10 * DAY, NOW + SOON, ())


def test_an_old_agreement_is_listed(tmp_path: Path) -> None:
    found = renewal(tmp_path, consent("given", PROFILE, at=NOW - OLD))

    assert found is not None
    assert (found.because, found.ends_at) == ("old", None)
    assert renewal(tmp_path / "younger", consent("given", PROFILE, at=NOW - OLD + 1)) is None


@pytest.mark.parametrize("said", ["refused", "withdrawn"])
@pytest.mark.parametrize("days", [-400, -11, -10, -9, 0])
def test_nobody_who_said_no_is_asked_again(tmp_path: Path, said: str, days: int) -> None:
    no = fact(f"consent.{said}", purpose=PROFILE, at=NOW + days * DAY)
    found = renewal(tmp_path, ending(NOW), no)

    if days >= -10:
        assert found is None
    else:  # they agreed again after that no
        assert found is not None


def test_nor_is_one_who_said_no_under_another_identity(tmp_path: Path) -> None:
    no = consent("refused", PROFILE, identity="card:7", at=NOW - DAY)

    assert renewal(tmp_path, ending(NOW), no, *linked("app:42", "card:7", at=NOW - 2 * DAY)) is None


def test_nor_one_who_was_never_asked_or_whose_purpose_needs_no_agreement(tmp_path: Path) -> None:
    assert renewal(tmp_path, consent("given", SUGGEST)) is None
    assert renewal(tmp_path / "legal", consent("given", LEGAL, at=NOW - DAY), purpose=LEGAL) is None


def test_nor_one_whose_data_is_restricted(tmp_path: Path) -> None:
    restricted = fact("identity.described", attributes={"restricted": True}, at=NOW - DAY)

    assert renewal(tmp_path, ending(NOW), restricted) is None


def test_it_is_told_where_the_person_may_be_written_to(tmp_path: Path) -> None:
    agreed = [consent("given", purpose, at=NOW - DAY) for purpose in (SUGGEST, "outreach.email")]
    standing = consent("given", PROFILE, at=NOW - 10 * DAY, expires_at=NOW + DAY)

    found = renewal(tmp_path, *agreed, standing)

    assert found is not None
    assert found.may_write == ("email",)


def test_what_ends_an_agreement_without_a_no_are_reasons_of_the_door() -> None:
    assert set(RefusalReason) >= ENDED


def test_being_listed_allows_nothing(tmp_path: Path) -> None:
    index = index_of(tmp_path, ending(NOW))
    later = person_at(
        pseudonym("app:42"),
        partial(evidence_in, index),
        at=NOW + 365 * DAY,
        known_at=NOW + 365 * DAY,
        rules=shipped_rules(),
    )

    assert renewal(tmp_path / "listed", ending(NOW)) is not None
    assert not later.permits(PROFILE, at=NOW + 365 * DAY, known_at=NOW + 365 * DAY)
