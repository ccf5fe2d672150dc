"""Story 6: a new customer is shown around, a lapsing one is won back within the caps, a promoter brings a friend."""

from typing import Any

import pytest

from consent.purposes import PROFILE, SUGGEST
from recommender.catalogue import load_catalogue
from tests.builders import DAY, HOUR, money
from tests.journeys.desks import Desk, happened, reasons, services

pytestmark = pytest.mark.servers

CAP = load_catalogue().cap


def ordered(who: str, *days: int) -> list[dict[str, Any]]:
    """Orders so many days ago."""
    return [
        happened("transaction.purchased", who, ago=ago * DAY, order_id=f"{who}-{ago}", total=money(4_000))
        for ago in days
    ]


def shown(who: str, times: int) -> list[dict[str, Any]]:
    """Personal offers that were presented within the last week, hours apart."""
    return [
        happened(
            "feedback.suggestion_presented", who, ago=2 * DAY + ago * HOUR, decision=f"p{ago:032x}", service="wine-club"
        )
        for ago in range(times)
    ]


def test_a_new_customer_is_shown_around(desk: Desk) -> None:
    who = "app:nora"
    desk.say(who, "given", PROFILE, SUGGEST)

    answer = desk.next_for(who, after=desk.send(*ordered(who, 2)))

    assert services(answer)[0] == "guided-start"
    assert reasons(answer, "guided-start")[0] == "need:just-arrived"


def test_a_lapsing_customer_is_won_back(desk: Desk) -> None:
    who = "app:simon"
    desk.say(who, "given", PROFILE, SUGGEST)

    answer = desk.next_for(who, after=desk.send(*ordered(who, 300, 250, 200), *shown(who, CAP.at_most - 1)))

    assert services(answer)[0] == "win-back-voucher"
    reason = answer["suggestions"][0]["reasons"][0]
    assert reason["text"]["en"] == "Ordered 3 times, and not once in the last three months."
    assert len(reason["evidence"]) == 3


def test_whoever_heard_enough_offers_is_not_won_back_by_another(desk: Desk) -> None:
    who = "app:ruben"
    desk.say(who, "given", PROFILE, SUGGEST)

    answer = desk.next_for(who, k=20, after=desk.send(*ordered(who, 300, 250, 200), *shown(who, CAP.at_most)))

    withheld = {entry["service"]: (entry["stage"], entry["because"]) for entry in answer["withheld"]}
    assert withheld["win-back-voucher"] == ("caps", "heard enough offers lately")
    assert {"fee-explanation", "anything-else"} <= set(services(answer)), "what helps is never too much"


def test_a_loyal_promoter_is_asked_to_bring_a_friend(desk: Desk) -> None:
    who = "app:tilda"
    desk.say(who, "given", PROFILE, SUGGEST)
    praise = happened("feedback.survey_answered", who, ago=DAY, survey_id="tilda-1", kind="nps", score=10)

    answer = desk.next_for(who, after=desk.send(*ordered(who, 200, 120, 40), praise))

    assert services(answer)[0] == "referral"
    assert "need:loyal-promoter" in reasons(answer, "referral")
