"""Story 5: a customer who is worth much complains. Nothing is sold to them until it is solved; then somebody calls."""

from typing import Any

import pytest

from consent.purposes import PROFILE, SUGGEST
from recommender.catalogue import load_catalogue
from tests.builders import DAY, HOUR, money
from tests.journeys.desks import Desk, happened, reasons, services

pytestmark = pytest.mark.servers

UPSELLS = {service.id for service in load_catalogue().services if service.upsell}


def of_worth(desk: Desk, who: str) -> list[dict[str, Any]]:
    desk.say(who, "given", PROFILE, SUGGEST)
    return [
        happened("transaction.purchased", who, ago=days * DAY, order_id=f"{who}-{days}", total=money(90_000))
        for days in range(5, 100, 9)
    ]


def test_nothing_is_sold_anywhere_while_the_complaint_is_open(desk: Desk) -> None:
    who = "app:zeno"
    orders = of_worth(desk, who)
    before = desk.next_for(who, k=20, after=desk.send(*orders))
    filed = desk.send(happened("feedback.complaint_filed", who, ago=2 * HOUR, case_id="zeno-1", topics=["quality"]))

    offered = [services(desk.next_for(who, channel=each, k=50, after=filed)) for each in ("desk", "app", "phone", None)]

    assert UPSELLS & set(services(before))
    assert all(not UPSELLS & set(found) for found in offered)
    assert desk.card(who)["traits"]["value_tier"]["value"] in {"gold", "platinum"}


def test_once_it_is_solved_somebody_calls_and_asks_how_we_did(desk: Desk) -> None:
    who = "app:zita"
    after = desk.send(
        *of_worth(desk, who),
        happened("feedback.complaint_filed", who, ago=2 * DAY, case_id="zita-1", topics=["quality"]),
        happened("service.case_resolved", who, ago=HOUR, case_id="zita-1"),
    )

    answer = desk.next_for(who, k=20, after=after)

    assert services(answer)[0] == "care-call"
    assert "need:complaint-solved" in reasons(answer, "satisfaction-survey")
    assert UPSELLS & set(services(answer))


def test_after_the_care_call_a_survey_closes_the_loop(desk: Desk) -> None:
    who = "app:zora"
    solved = desk.send(
        *of_worth(desk, who),
        happened("feedback.complaint_filed", who, ago=2 * DAY, case_id="zora-1", topics=["quality"]),
        happened("service.case_resolved", who, ago=HOUR, case_id="zora-1"),
    )
    called = desk.present(desk.next_for(who, after=solved), "care-call", said="accepted")

    asking = desk.next_for(who, after=called)
    asked = desk.present(asking, "satisfaction-survey", said="accepted")
    scored = happened("feedback.survey_answered", who, survey_id="zora-s", kind="csat", score=5)
    closed = desk.next_for(who, k=20, after=desk.send(scored))

    assert services(asking)[0] == "satisfaction-survey"
    assert "need:cared-for" in reasons(asking, "satisfaction-survey")
    desk.card(who, after=asked)
    assert not {"care-call", "satisfaction-survey"} & set(services(closed))
    assert UPSELLS & set(services(closed))


def test_emil_of_the_demo_world_waits_for_his_solution(desk: Desk) -> None:
    answer = desk.next_for("app:emil", k=50)

    assert desk.card("app:emil")["restraints"]["open_complaints"] == 1
    assert not UPSELLS & set(services(answer))
