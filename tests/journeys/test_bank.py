"""Stories 2 and 4: where is my loan, and cancel my card."""

import pytest

from consent.purposes import PROFILE, SUGGEST
from tests.builders import DAY, HOUR
from tests.journeys.desks import Desk, happened, reasons, services
from tests.waiting import until

pytestmark = pytest.mark.servers


def test_the_brief_holds_the_loan_the_waits_and_the_last_contacts(desk: Desk) -> None:
    card = desk.card("phone:030 5550102")

    brief = card["service"]
    assert brief["open_cases"][0]["id"] == "loan-ben"
    assert [case["complaint"] for case in brief["open_cases"]] == [False, True]
    assert [contact["wait_ms"] for contact in brief["contacts"]] == [660_000, 95_000, 420_000]
    assert {topic for contact in brief["contacts"] for topic in contact["topics"]} == {"loan-status"}
    assert card["traits"]["wait"]["sample_size"] == 3


def test_a_complaint_that_waited_for_a_day_becomes_a_task(desk: Desk) -> None:
    until(lambda: desk.outreach("app:ben"), what="a decision about Ben")

    (decision,) = desk.outreach("app:ben")
    assert (decision["trigger"], decision["verdict"]) == ("complaint-unsolved", "send")
    assert (decision["service"], decision["channel"]) == ("care-call", "desk")


def test_nothing_is_sold_while_a_complaint_is_open(desk: Desk) -> None:
    answer = desk.next_for("app:ben", k=20)

    assert services(answer)[0] == "loan-status-callback"
    because = {entry["service"]: entry["because"] for entry in answer["withheld"]}
    assert because["home-insurance"] == "nothing to sell while a complaint is open"


def test_behind_the_wish_to_leave_the_hidden_need_is_named_first(desk: Desk) -> None:
    who = "app:petra"
    desk.say(who, "given", PROFILE, SUGGEST)
    calls = [
        happened("service.contact_ended", who, ago=days * DAY, contact_id=f"petra-{days}", topics=["repayment"])
        for days in (30, 17, 6)
    ]
    leaving = happened("service.contact_ended", who, ago=HOUR, contact_id="petra-0", topics=["cancel-card"])

    answer = desk.next_for(who, intent="cancel", after=desk.send(*calls, leaving))

    assert (answer["intent"], answer["contexts"]) == ("cancel", ["cancel"])
    assert [need["code"] for need in answer["needs"]] == ["need:repayment-trouble", "need:wants-to-leave"]
    assert services(answer)[0] == "auto-repayment"
    assert answer["suggestions"][0]["reasons"][0]["text"]["en"] == "Contacted us about repayment 3 times."
    assert "retention-gift" in services(answer)[1:]


def test_whoever_wants_to_leave_without_such_a_need_hears_of_a_gift_first(desk: Desk) -> None:
    who = "app:paul"
    desk.say(who, "given", PROFILE, SUGGEST)
    leaving = happened("service.contact_started", who, ago=HOUR, contact_id="paul-0", topics=["cancel-card"])

    answer = desk.next_for(who, after=desk.send(leaving))

    assert answer["contexts"] == ["cancel"], "the contact that is open says so itself"
    assert services(answer)[0] == "retention-gift"


def test_dora_of_the_demo_world_hears_the_same(desk: Desk) -> None:
    answer = desk.next_for("app:dora")

    assert services(answer)[0] == "auto-repayment"
    assert "need:wants-to-leave" in reasons(answer, "retention-gift")
