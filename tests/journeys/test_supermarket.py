"""Story 1: baby formula three times in a week, by app and by card."""

import pytest

from consent.purposes import PROFILE, SENSITIVE, SUGGEST
from tests.builders import DAY, HOUR, money
from tests.journeys.desks import Desk, happened, reasons, services
from tests.waiting import until

pytestmark = pytest.mark.servers


def formula(desk: Desk, person: str) -> str:
    """Three purchases of one person, two by app and one by card; the token to read them back with."""
    app, card = f"app:{person}", f"card:{person}"
    lines = [{"item": "baby-formula", "category": "baby", "amount": 1899}]
    bought = [
        happened("transaction.purchased", who, ago=ago, order_id=f"{who}-{ago}", total=money(1899), lines=lines)
        for who, ago in ((app, 5 * DAY), (card, 3 * DAY), (app, HOUR))
    ]
    link = happened("identity.linked", app, ago=9 * DAY, other=card, strength="verified", reason="till")
    return desk.send(link, *bought)


def test_diapers_are_suggested_with_the_reason_where_that_may_be_known(desk: Desk) -> None:
    desk.say("app:maya", "given", PROFILE, SUGGEST, SENSITIVE)
    answer = desk.next_for("app:maya", after=formula(desk, "maya"))

    first = answer["suggestions"][0]
    assert (answer["mode"], first["service"]) == ("personal", "diapers")
    assert first["reasons"][0]["text"]["en"] == "Bought baby food 3 times in a week."
    assert len(first["reasons"][0]["evidence"]) == 3


def test_by_card_the_answer_is_that_of_the_app(desk: Desk) -> None:
    by_app, by_card = desk.next_for("app:anna"), desk.next_for("card:anna-1")

    assert by_app["suggestions"] == by_card["suggestions"]
    assert services(by_app)[0] == "diapers"


def test_without_sensitive_consent_nobody_speaks_of_a_baby(desk: Desk) -> None:
    desk.say("app:nele", "given", PROFILE, SUGGEST)
    answer = desk.next_for("app:nele", k=20, after=formula(desk, "nele"))

    assert answer["mode"] == "personal"
    assert "diapers" in services(answer)
    assert not [code for code in reasons(answer) if "baby" in code]
    assert not any(reason["sensitive"] for each in answer["suggestions"] for reason in each["reasons"])


def test_what_is_only_for_staff_is_not_shown_to_the_person(desk: Desk) -> None:
    at_the_desk, in_the_app = desk.next_for("app:anna"), desk.next_for("app:anna", channel="app")

    assert "need:baby-at-home" in reasons(at_the_desk, "diapers")
    assert "need:baby-at-home" not in reasons(in_the_app)


def test_on_arrival_at_the_shop_the_staff_are_told_to_offer_the_pram(desk: Desk) -> None:
    desk.say("app:olga", "given", PROFILE, SUGGEST, SENSITIVE)
    formula(desk, "olga")
    arrived = desk.send(happened("service.visited", "card:olga", place="berlin-mitte", branch="berlin-mitte"))

    answer = desk.next_for("app:olga", channel="store", after=arrived)

    assert services(answer)[0] == "pram"
    assert "need:baby-and-here" in reasons(answer, "pram")


def test_the_third_purchase_gives_an_occasion_to_write(desk: Desk) -> None:
    until(lambda: desk.outreach("app:anna"), what="a decision about Anna")

    (decision,) = desk.outreach("app:anna")
    assert (decision["trigger"], decision["service"]) == ("bought-three-times", "diapers")
    assert decision["verdict"] == "send" or decision["because"] == "quiet_hours"
