"""What a reader is not shown yet is waited for, and nothing after it is handed over before."""

import logging
from typing import NamedTuple

import pytest

from streams.unfilled import Cut, Unfilled

TP = ("rapport.events", 3)


class At(NamedTuple):
    offset: int


def records(*offsets: int) -> list[At]:
    return [At(offset) for offset in offsets]


def cut(unfilled: Unfilled, *offsets: int, start: int = 10, end: int, now_s: float = 0.0) -> tuple[list[int], int]:
    found = unfilled.cut(TP, records(*offsets), start=start, end=end, now_s=now_s)
    return [record.offset for record in found.records], found.end


def test_what_is_whole_is_handed_over_as_it_is() -> None:
    fetched = records(10, 11, 12)
    assert Unfilled().cut(TP, fetched, start=10, end=13, now_s=0.0) == Cut(fetched, 13)


def test_a_frame_ends_before_a_record_that_is_missing() -> None:
    assert cut(Unfilled(), 10, 11, 14, 15, end=16) == ([10, 11], 12)


def test_a_missing_record_is_waited_for_and_handed_over_once_it_is_there() -> None:
    unfilled = Unfilled(within_s=30.0)

    assert cut(unfilled, 14, 15, end=16) == ([], 10)
    assert cut(unfilled, 14, 15, end=16, now_s=29.9) == ([], 10)
    assert cut(unfilled, 10, 11, 12, 13, 14, 15, end=16, now_s=29.95) == ([10, 11, 12, 13, 14, 15], 16)


def test_one_that_never_comes_is_stepped_over_and_said(caplog: pytest.LogCaptureFixture) -> None:
    unfilled = Unfilled(within_s=30.0)
    cut(unfilled, 14, 15, 18, end=19)

    assert cut(unfilled, 14, 15, 18, end=19, now_s=30.0) == ([14, 15], 16)
    assert caplog.record_tuples == [
        (
            "streams.unfilled",
            logging.ERROR,
            "rapport.events[3]: the offsets from 10 to 13 never came and are stepped over",
        )
    ]
    assert cut(unfilled, 18, start=16, end=19, now_s=30.0) == ([], 16)


def test_each_missing_record_has_its_own_time() -> None:
    unfilled = Unfilled(within_s=30.0)
    cut(unfilled, 14, end=15)
    assert cut(unfilled, 10, 11, 14, end=15, now_s=20.0) == ([10, 11], 12)
    assert cut(unfilled, 14, start=12, end=15, now_s=31.0) == ([], 12)
    assert cut(unfilled, 14, start=12, end=15, now_s=60.0) == ([], 12)
    assert cut(unfilled, 14, start=12, end=15, now_s=61.0) == ([14], 15)
    assert cut(Unfilled(), 14, start=12, end=15, now_s=61.0) == ([], 12)


def test_a_position_that_moved_without_records_waits_too() -> None:
    unfilled = Unfilled(within_s=30.0)
    assert cut(unfilled, end=12) == ([], 10)
    assert cut(unfilled, end=12, now_s=30.0) == ([], 12)
