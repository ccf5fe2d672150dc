"""The guard as a table: one thing changes, the verdict and its reason follow."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from consent.door import Allowed, Because, RefusalReason, Refused
from outreach.guard import HoldUntil, Never, Send, Situation, Verdict, guard
from outreach.quiet_hours import quiet_until, zone_or
from outreach.triggers import Policy, Quiet
from recommender.suggestion import Restraints
from tests.builders import DAY, HOUR, MINUTE, NOW
from tests.outreach.world import CATALOGUE, TRIGGERS

YES = Allowed(Because(basis="consent", relied_on=(b"12345678",)))
NO = Refused(RefusalReason.WITHDRAWN, "a no to outreach.push stands")
NEVER_ASKED = Refused(RefusalReason.NEVER_ASKED, "nobody agreed to data.sensitive")
OFFER = TRIGGERS.by_id["bought-three-times"]
VISIT = TRIGGERS.by_id["part-runs-hot"]
TASK = TRIGGERS.by_id["complaint-unsolved"]
MIDNIGHT = NOW - 9 * HOUR - 30 * MINUTE
"""00:00 in UTC."""

OPEN = Situation(
    trigger=OFFER,
    service=CATALOGUE.by_id["delivery-flat-rate"],
    reach={"push": YES, "email": YES},
    zone="UTC",
    arose_at=NOW,
    now=NOW,
)


def never(because: str, detail: str = "") -> Never:
    return Never(because, detail)


def restrained(**facts: Any) -> dict[str, Any]:
    return {"restraints": Restraints(**facts)}


SERVES: dict[str, Any] = {"trigger": VISIT, "service": CATALOGUE.by_id["engineer-visit"], "reach": {"email": YES}}
A_TASK: dict[str, Any] = {"trigger": TASK, "service": CATALOGUE.by_id["care-call"], "reach": {"desk": YES}}


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Send("push", YES.because)),
        ({"reach": {"push": NO, "email": YES}}, Send("email", YES.because)),
        ({"reach": {"push": NO, "email": NO}}, never("withdrawn", NO.detail)),
        ({"needs": {"data.sensitive": NEVER_ASKED}}, never("needs", "data.sensitive: never_asked")),
        ({"needs": {"data.sensitive": YES}}, Send("push", YES.because)),
        (restrained(open_complaint=True), never("open_complaint")),
        ({**SERVES, **restrained(open_complaint=True)}, Send("email", YES.because)),
        (restrained(refused=frozenset({"delivery-flat-rate"})), never("declined")),
        (restrained(told=frozenset({"delivery-flat-rate"})), never("already_told")),
        (restrained(told=frozenset({"recipe-box"})), Send("push", YES.because)),
        ({"has_service": True}, never("already_taken")),
        ({**SERVES, "has_service": True}, Send("email", YES.because)),
        ({"is_held_out": True}, never("hold_out")),
        ({"counted": 1}, Send("push", YES.because)),
        ({"counted": 2}, never("cap", "2 messages within 7 days")),
        ({"has_heard_enough": True}, never("heard_enough", "suggestions and messages together")),
        ({**SERVES, "has_heard_enough": True}, Send("email", YES.because)),
        ({**A_TASK, "has_heard_enough": True}, Send("desk", YES.because)),
        ({"arose_at": NOW - 24 * HOUR}, Send("push", YES.because)),
        ({"arose_at": NOW - 24 * HOUR - 1}, never("too_late")),
        ({"now": MIDNIGHT, "arose_at": MIDNIGHT}, HoldUntil(MIDNIGHT + 8 * HOUR, "quiet_hours")),
        ({"now": MIDNIGHT, "arose_at": MIDNIGHT, "counted": 2}, never("cap", "2 messages within 7 days")),
        ({"now": MIDNIGHT, "arose_at": MIDNIGHT - 17 * HOUR}, never("too_late")),
        ({**A_TASK, **restrained(open_complaint=True, told=frozenset({"care-call"}))}, Send("desk", YES.because)),
        ({**A_TASK, "now": MIDNIGHT, "arose_at": MIDNIGHT, "counted": 9}, Send("desk", YES.because)),
        ({**A_TASK, "is_held_out": True}, Send("desk", YES.because)),
    ],
)
def test_what_the_guard_answers(changed: dict[str, Any], verdict: Verdict) -> None:
    assert guard(replace(OPEN, **changed), Policy()) == verdict


def test_a_refusal_is_the_reason_whatever_else_stands_against_it() -> None:
    closed = replace(OPEN, reach={"push": NO})
    others: list[dict[str, Any]] = [
        {"counted": 9},
        {"is_held_out": True},
        {"has_service": True},
        restrained(open_complaint=True),
    ]
    assert {guard(replace(closed, **each), Policy()) for each in others} == {never("withdrawn", NO.detail)}


@pytest.mark.parametrize(
    ("zone", "at", "until"),
    [
        ("UTC", MIDNIGHT + 21 * HOUR - 1, None),
        ("UTC", MIDNIGHT + 21 * HOUR, MIDNIGHT + 32 * HOUR),
        ("UTC", MIDNIGHT + 8 * HOUR - 1, MIDNIGHT + 8 * HOUR),
        ("UTC", MIDNIGHT + 8 * HOUR, None),
        ("Asia/Shanghai", MIDNIGHT, None),  # 08:00 there
        ("Asia/Shanghai", MIDNIGHT - 1, MIDNIGHT),
        # The clocks go forward in the night of 28 March: 22:00 to 08:00 is nine hours.
        ("Europe/Berlin", MIDNIGHT + 27 * DAY + 21 * HOUR, MIDNIGHT + 28 * DAY + 6 * HOUR),
    ],
)
def test_quiet_hours_go_by_the_person_s_own_clock(zone: str, at: int, until: int | None) -> None:
    assert quiet_until(at, quiet=Quiet(), zone=zone) == until


def test_quiet_hours_that_end_in_an_hour_the_clock_shows_twice_end_later_than_now() -> None:
    quiet = Quiet.model_validate({"begins": "23:00", "ends": "02:30"})
    second_time = int(datetime(2026, 10, 25, 1, 20, tzinfo=UTC).timestamp() * 1000)  # 02:20 there, once more
    assert quiet_until(second_time, quiet=quiet, zone="Europe/Berlin") == second_time + 10 * MINUTE


def test_no_quiet_hours_where_they_begin_when_they_end() -> None:
    quiet = Quiet.model_validate({"begins": "08:00", "ends": "08:00"})
    assert {quiet_until(MIDNIGHT + hour * HOUR, quiet=quiet, zone="UTC") for hour in range(24)} == {None}


@pytest.mark.parametrize("stated", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", True, 7])
def test_a_zone_that_is_none_gives_way_to_the_installation_s(stated: object) -> None:
    assert zone_or(stated, "UTC") == "UTC"


def test_a_stated_zone_is_taken() -> None:
    assert zone_or("Asia/Tokyo", "UTC") == "Asia/Tokyo"
