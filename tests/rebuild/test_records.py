"""History hands out what a worker would have been handed: key, value and place, facts or not."""

from pathlib import Path

from events.fact import encode_fact
from events.history import ArchivedRow, History
from tests.builders import NOW, pseudonym, purchased

ANNA = pseudonym("app:42")
FACT = encode_fact(purchased())
ROWS = [
    ArchivedRow(0, NOW, ANNA.encode(), FACT),
    ArchivedRow(1, NOW + 1, b"in clear", FACT),
    ArchivedRow(3, NOW + 2, None, None),
    ArchivedRow(4, NOW + 3, pseudonym("app:43").encode(), b"no fact"),
]


def test_records_are_as_they_stood_on_the_log_and_end_where_they_are_asked_to(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.append(1, 0, 0, 2, ROWS[:2])
    history.append(1, 0, 2, 6, ROWS[2:])

    assert list(history.records(1, 0, start=0, end=6)) == ROWS
    assert list(history.records(1, 0, start=1, end=4)) == ROWS[1:3]
    assert list(history.records(1, 1, start=0, end=6)) == []


def test_whoever_has_a_key_has_an_identity_and_nothing_in_clear_is_one(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.append(1, 0, 0, 6, ROWS)

    assert history.identities(1, 0) == {ANNA, pseudonym("app:43")}
