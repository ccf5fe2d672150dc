"""Story 3: a machine reports a part running hot; its owner's contact hears of an engineer's visit."""

from datetime import UTC, datetime

import pytest

from consent.purposes import PROFILE, SUGGEST
from tests.builders import DAY
from tests.journeys.desks import Desk, happened, reasons, services
from tests.waiting import until

pytestmark = pytest.mark.servers


def zone_at_noon() -> str:
    """A time zone in which it is about noon, so that nobody's night is disturbed. Its sign is that of POSIX."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


def test_the_visit_is_proposed_to_the_contact_of_the_owner(desk: Desk) -> None:
    who, company, machine = "app:quentin", "company:quarz", "machine:drill-1"
    desk.say(who, "given", PROFILE, SUGGEST, "outreach.email")
    desk.send(
        happened("identity.described", who, ago=DAY, attributes={"timezone": zone_at_noon()}),
        happened("identity.related", who, ago=DAY, other=company, kind="contact_of"),
        happened("identity.related", company, ago=DAY, other=machine, kind="owns"),
    )
    until(lambda: desk.card(who)["attributes"], what="the time zone")
    desk.send(happened("service.alert_raised", machine, alert_id="a-1", kind="temperature", severity="critical"))

    until(lambda: desk.outreach(who), what="a decision about the contact")

    (decision,) = desk.outreach(who)
    assert (decision["trigger"], decision["service"]) == ("part-runs-hot", "engineer-visit")
    assert (decision["verdict"], decision["channel"]) == ("send", "email")
    claimed = desk.client.ask("POST", f"/v1/outreach/{decision['id']}/claim")
    assert claimed["go"]


def test_a_contact_who_did_not_agree_to_be_written_to_is_left_out_with_the_reason(desk: Desk) -> None:
    who, company, machine = "app:rosa", "company:rot", "machine:drill-2"
    after = desk.send(
        happened("identity.described", who, ago=DAY, attributes={"timezone": zone_at_noon()}),
        happened("identity.related", who, ago=DAY, other=company, kind="contact_of"),
        happened("identity.related", company, ago=DAY, other=machine, kind="owns"),
    )
    desk.card(who, after=after)
    desk.send(happened("service.alert_raised", machine, alert_id="a-2", kind="temperature", severity="critical"))

    until(lambda: desk.outreach(who), what="a decision about the contact")

    assert [decision["verdict"] for decision in desk.outreach(who)] == ["never"]


def test_a_relation_lends_no_facts(desk: Desk) -> None:
    answer = desk.next_for("app:carla", k=20)

    assert services(desk.next_for("machine:press-7"))[0] == "engineer-visit"
    assert "need:runs-hot" not in reasons(answer)
    assert "engineer-visit" not in services(answer)


def test_a_machine_that_fails_again_and_again_wants_an_upgrade(desk: Desk) -> None:
    answer = desk.next_for("machine:press-3")

    assert services(answer)[0] == "machine-upgrade"
    assert answer["suggestions"][0]["reasons"][0]["text"]["en"] == "The machine raised 3 alerts in half a year."
