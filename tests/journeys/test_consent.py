"""Story 8: no consent, consent given, withdrawn again; and what the officer sees of it."""

import pytest

from api.auth import Role
from commands.demo import SEED
from commands.demo_world import world
from commands.demo_world_crowd import PersonTruth, latent
from consent.purposes import PROFILE, SUGGEST
from tests.builders import DAY, money
from tests.journeys.desks import Answer, Desk, happened, now, reasons, same_twice, services

pytestmark = pytest.mark.servers


def called(desk: Desk, who: str, number: int) -> str:
    """A contact about fees; the token to read it back with."""
    contact = f"{who}-{number}"
    return desk.send(happened("service.contact_ended", who, ago=number * DAY, contact_id=contact, topics=["fees"]))


def test_general_then_personal_then_general_again_with_the_next_answer(desk: Desk) -> None:
    who = "app:vera"
    before = desk.next_for(who, after=called(desk, who, 1))
    assert (before["mode"], before["consent"]) == ("general", [])

    desk.say(who, "given", PROFILE, SUGGEST)
    personal = desk.next_for(who)
    assert (personal["mode"], services(personal)[0]) == ("personal", "fee-explanation")
    assert {ground["purpose"] for ground in personal["consent"]} == {PROFILE, SUGGEST}

    desk.client.act(desk.client.ref(who), "withdrawn", SUGGEST)
    again = desk.next_for(who)
    assert again["mode"] == "general"
    assert same_twice(again, before)


def test_the_officer_sees_what_stands_and_why(desk: Desk) -> None:
    who = "app:wanda"
    ref = desk.client.ref(who, role=Role.PRIVACY)

    def standing() -> Answer:
        found: Answer = desk.client.consents(ref)[SUGGEST]
        return found

    assert standing()["because"] == "never_asked"
    desk.say(who, "given", PROFILE, SUGGEST)
    assert (standing()["allowed"], standing()["basis"], standing()["evidence"]) == (True, "consent", "recorded")
    assert len(standing()["relied_on"]) == 2
    desk.say(who, "withdrawn", SUGGEST)
    assert standing()["because"] == "withdrawn"


def test_without_consent_the_answer_does_not_change_with_the_history(desk: Desk) -> None:
    who = "app:xaver"
    desk.say(who, "refused", SUGGEST)
    before = desk.next_for(who, k=20)

    lines = [{"item": "wine-six", "category": "wine", "amount": 6000}]
    orders = [
        happened("transaction.purchased", who, ago=days * DAY, order_id=f"x-{days}", total=money(6000), lines=lines)
        for days in (1, 2, 3)
    ]
    desk.send(*orders)

    assert same_twice(desk.next_for(who, k=20, after=called(desk, who, 1)), before)


def test_a_marketer_sees_no_person(desk: Desk) -> None:
    answer = desk.client.http.post(
        "/v1/customers/lookup",
        json={"identity": "app:anna"},
        headers={"Authorization": f"Bearer {desk.client.keys[Role.MARKETING]}"},
    )

    assert answer.status_code == 403


def test_personal_suggestions_find_what_people_want_more_often_than_general_ones(desk: Desk) -> None:
    """The demo world's truth is known: who would still take which service."""
    crowd = [person for person in latent(world(seed=SEED, now=now()).people) if person.story is None]
    asked = [person for person in crowd if person.consent == "whole"][:60]
    general = set(services(desk.next_for("app:stranger", k=3)))

    hits = [_wanted(person) & set(services(desk.next_for(person.identities[0], k=3))) for person in asked]
    by_chance = [_wanted(person) & general for person in asked]

    assert len(asked) == 60
    assert sum(map(bool, hits)) >= sum(map(bool, by_chance)) + 15


def _wanted(person: PersonTruth) -> set[str]:
    return set(person.wants) - set(person.took)


def test_newcomers_lapsing_customers_and_promoters_hear_what_fits(desk: Desk) -> None:
    """Story 6, as far as suggestions go."""
    found = {who: desk.next_for(f"app:{who}") for who in ("fay", "gus", "hana")}

    assert {who: services(answer)[0] for who, answer in found.items()} == {
        "fay": "guided-start",
        "gus": "win-back-voucher",
        "hana": "referral",
    }
    assert reasons(found["gus"], "win-back-voucher")[0] == "need:went-quiet"
