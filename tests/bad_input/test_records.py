"""Every bad record on the log of facts: its named fate, the checkpoint behind it, neighbours folded."""

import logging

import pytest

from events.position import Stream
from profiles.fold import RECORDS_MAX
from streams.frame import Record
from tests.bad_input.cases import ANNA
from tests.bad_input.log_cases import GOOD, IDENTITY, KNOWN, RECORDS, OnTheLog, encoded
from tests.bad_input.test_events import names_in, told
from tests.builders import NOW, PARTITIONS, admitted, purchased
from tests.streams.dead_letter_world import EVENTS, LetterWorld

ALL = [case for cases in RECORDS.values() for case in cases]
HOME = admitted(GOOD).partition
KEY = GOOD.identity.encode()


def stream_of(case: OnTheLog) -> Stream:
    return Stream("profiles", EVENTS, (HOME + case.is_astray) % PARTITIONS)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
async def test_a_bad_record_on_the_log(case: OnTheLog, worker: LetterWorld, caplog: pytest.LogCaptureFixture) -> None:
    after = encoded(purchased("after", identity=IDENTITY))
    records = [Record(0, NOW, KEY, encoded(KNOWN)), Record(1, NOW, case.key, case.value), Record(2, NOW, KEY, after)]

    with caplog.at_level(logging.DEBUG):
        checkpoint = await worker.take(stream_of(case), records)

    letters = [letter for letter in await worker.kept() if letter.offset == 1]
    assert [letter.reason for letter in letters] == ([] if case.fate in ("applied", "repeated") else [case.fate])
    assert checkpoint is not None
    assert checkpoint.offset == 3
    if not case.is_astray:
        orders = set((await worker.facet(IDENTITY)).service.orders)
        assert orders == {ANNA, "after"} | ({"later"} if case.fate == "applied" else set())
    assert not any(ANNA in told(letter) or names_in(told(letter)) for letter in letters)
    assert not names_in(caplog.text)


async def test_a_fact_that_would_fill_a_facet_beyond_its_bound_is_set_aside(worker: LetterWorld) -> None:
    orders = [purchased(f"order-{at}", identity=IDENTITY) for at in range(RECORDS_MAX + 1)]
    known = purchased("order-0", identity=IDENTITY, amount=7, at=NOW + 1)
    records = [Record(at, NOW, KEY, encoded(some)) for at, some in enumerate([*orders, known])]

    await worker.take(Stream("profiles", EVENTS, HOME), records)

    assert await worker.reasons() == [(RECORDS_MAX, "full")]
    assert len((await worker.facet(IDENTITY)).service.orders) == RECORDS_MAX


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in ALL]
    assert len(set(names)) == len(names)
