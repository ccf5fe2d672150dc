"""Story 7: the same person by app, phone and branch; and after unlinking, as if never linked."""

from typing import Any

import pytest

from consent.purposes import PROFILE, SUGGEST
from tests.builders import DAY, HOUR, money
from tests.journeys.desks import Answer, Desk, happened, offered, services

pytestmark = pytest.mark.servers

IRIS = ("app:iris", "phone:030 5550177", "customer:iris-77")


def seen(card: Answer) -> dict[str, Any]:
    """A card without what names the one who was looked up, the facts relied on, and the moment."""
    traits = {name: (trait["value"], trait["sample_size"]) for name, trait in card["traits"].items()}
    consents = {purpose: found["allowed"] for purpose, found in card["consents"].items()}
    told = {name: card[name] for name in ("identities", "service", "restraints")}
    return {**told, "consents": consents, "traits": traits}


def lived(card: Answer) -> dict[str, Any]:
    """The same of a life that another one repeats, under other names and a moment later."""
    found = seen(card)
    points, _ = found["traits"].pop("last_touchpoints")
    return {**found, "service": None, "points": [point["type"] for point in points]}


def test_one_profile_by_app_phone_and_branch(desk: Desk) -> None:
    cards = [seen(desk.card(identity)) for identity in IRIS]

    assert cards[0] == cards[1] == cards[2]
    assert cards[0]["identities"] == {"count": 3, "kinds": {"app": 1, "customer": 1, "phone": 1}, "apart": {}}


@pytest.mark.parametrize("channel", ["app", "phone", "branch"])
def test_one_answer_on_each_channel(desk: Desk, channel: str) -> None:
    answers = [offered(desk.next_for(identity, channel=channel)) for identity in IRIS]

    assert answers[0] == answers[1] == answers[2]


def test_what_happens_by_phone_is_known_in_the_app_at_once(desk: Desk) -> None:
    app, phone = "app:sofie", "phone:030 5550188"
    desk.say(app, "given", PROFILE, SUGGEST)
    desk.send(happened("identity.linked", app, ago=DAY, other=phone, strength="verified", reason="one-time-code"))
    called = desk.send(happened("service.contact_ended", phone, contact_id="sofie-1", topics=["fees"]))

    assert services(desk.next_for(app, after=called))[0] == "fee-explanation"


def _life(desk: Desk, app: str, phone: str) -> str:
    bought = happened("transaction.purchased", app, ago=3 * DAY, order_id=app, total=money(500))
    called = happened("service.contact_ended", phone, ago=HOUR, contact_id=f"{app}-1", topics=["fees"])
    return desk.send(bought, called)


def test_after_unlinking_it_is_as_if_they_had_never_been_linked(desk: Desk) -> None:
    linked, apart = ("app:tom", "phone:030 5550191"), ("app:ulf", "phone:030 5550192")
    for app, phone in (linked, apart):
        desk.say(app, "given", PROFILE, SUGGEST)
        desk.say(phone, "given", PROFILE, SUGGEST)
    link = {"other": linked[1], "reason": "tests"}
    joined = desk.send(happened("identity.linked", linked[0], ago=HOUR, strength="verified", **link))
    after = [_life(desk, *linked), _life(desk, *apart)]
    assert services(desk.next_for(linked[0], after=after[0]))[0] == "fee-explanation"
    assert desk.card(linked[0], after=joined)["identities"]["count"] == 2

    ended = desk.send(happened("identity.unlinked", linked[0], ago=0, **link))

    for was, never in zip(linked, apart, strict=True):
        assert offered(desk.next_for(was, after=ended)) == offered(desk.next_for(never, after=after[1]))
        assert lived(desk.card(was)) == lived(desk.card(never))
    assert desk.card(linked[0])["service"]["contacts"] == []
