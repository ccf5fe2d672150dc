"""The officer over HTTP: timelines, past days, who looked, what was refused; and nobody named in clear."""

import json
from typing import Any

import pytest

from api.officer_rates import KEPT_MS
from consent.notices import Notices
from consent.purposes import PROFILE, SUGGEST
from events.fact import Fact
from events.shape import format_time
from tests.api.world import problem
from tests.builders import DAY, HOUR, NOW, consent, linked, pseudonym, unlinked
from tests.officer.desk import AUDIT, Desk

APP, CARD = "app:42", "card:7"
PERSONAL = ("history", "permitted", "accesses", "denied")


def events(cards: list[dict[str, Any]]) -> list[str]:
    return [card["event"] for card in cards]


async def test_the_history_is_a_timeline_with_both_times_and_the_evidence_of_each_act(desk: Desk) -> None:
    given = await desk.says(
        "given", PROFILE, channel="desk", agent="a-12", notice="profile/1", at=format_time(NOW - DAY)
    )
    desk.now += HOUR
    await desk.says("withdrawn", PROFILE, channel="phone")

    told = await desk.told("history")

    shown = Notices.load().find("profile", 1)
    assert shown is not None
    first, second = told["timeline"]
    assert (first["type"], second["type"]) == ("consent.given", "consent.withdrawn")
    assert (first["effective_at"], first["received_at"]) == (format_time(NOW - DAY), format_time(NOW))
    assert first["said"] == {
        "channel": "desk",
        "agent": "a-12",
        "purpose": PROFILE,
        "act_id": given["act_id"],
        "notice": "profile/1",
        "notice_hash": shown.hash,
    }
    assert second["position"].startswith("1.")
    assert len(told["read_to"]) == 1
    assert [each["kind"] for each in told["identities"]] == ["app"]


async def test_links_stand_in_the_timeline_of_both_and_name_the_other_by_reference(desk: Desk) -> None:
    await desk.happened(*linked(APP, CARD, at=NOW - DAY), consent("refused", PROFILE, identity=CARD, at=NOW - HOUR))
    desk.follow()

    told = await desk.told("history")

    assert [each["type"] for each in told["timeline"]] == ["identity.linked", "identity.linked", "consent.refused"]
    refs = {each["kind"]: each["ref"] for each in told["identities"]}
    assert refs == {"app": await desk.ref(APP), "card": await desk.ref(CARD)}
    assert {each["said"]["other"]["ref"] for each in told["timeline"][:2]} == set(refs.values())


async def test_after_an_unlink_nothing_of_the_other_is_told(desk: Desk) -> None:
    await desk.happened(
        *linked(APP, CARD, at=NOW - DAY),
        consent("refused", PROFILE, identity=CARD, at=NOW - HOUR),
        *unlinked(APP, CARD, at=NOW - 1),
    )
    desk.follow()

    told = await desk.told("history")

    assert [each["type"] for each in told["timeline"]] == ["identity.linked", "identity.unlinked"]


async def test_a_past_day_is_told_as_it_was_known_and_in_hindsight(desk: Desk) -> None:
    given = consent("given", PROFILE, at=NOW - 5 * DAY)
    late = consent("withdrawn", PROFILE, at=NOW - 3 * DAY, received_at=NOW - DAY)
    await desk.happened(given, late)
    desk.follow()

    told = await desk.told("permitted", at=format_time(NOW - 2 * DAY))

    assert told["as_known"]["purposes"][PROFILE]["allowed"] is True
    assert told["as_known"]["purposes"][PROFILE]["relied_on"] == [given.event_key.hex()]
    assert told["as_known"]["considered"] == {PROFILE: [given.event_key.hex()]}
    assert told["in_hindsight"]["purposes"][PROFILE]["because"] == "withdrawn"
    assert told["in_hindsight"]["considered"] == {PROFILE: [given.event_key.hex(), late.event_key.hex()]}
    assert events(told["relied_on"]) == [given.event_key.hex()]
    known = await desk.told("permitted", at=format_time(NOW - 2 * DAY), known_at=format_time(NOW - 36 * HOUR))
    assert known["in_hindsight"]["purposes"][PROFILE]["allowed"] is True


async def test_the_person_of_a_past_day_is_told_with_the_links_of_that_day(desk: Desk) -> None:
    link = linked(APP, CARD, at=NOW - 4 * DAY)
    await desk.happened(
        *link, *unlinked(APP, CARD, at=NOW - DAY), consent("given", PROFILE, identity=CARD, at=NOW - DAY)
    )
    desk.follow()

    then = (await desk.told("permitted", at=format_time(NOW - 2 * DAY)))["as_known"]
    now = (await desk.told("permitted"))["as_known"]

    assert sorted(each["kind"] for each in then["identities"]) == ["app", "card"]
    assert [each["event"] for each in then["links"]] == [link[0].event_key.hex()]
    assert ([each["kind"] for each in now["identities"]], now["links"]) == (["app"], [])


async def test_today_the_officer_is_told_what_everybody_is_told(desk: Desk) -> None:
    for act, purpose in (("given", PROFILE), ("given", SUGGEST), ("withdrawn", PROFILE), ("given", "model.train")):
        desk.now += 1
        await desk.says(act, purpose)

    told = await desk.told("permitted")
    standing = await desk.ask("GET", f"/v1/customers/{await desk.ref()}/consents", key="privacy")

    assert told["as_known"]["purposes"] == told["in_hindsight"]["purposes"] == standing.json()["consents"]


async def test_what_will_be_permitted_is_not_told(desk: Desk) -> None:
    desk.follow()

    assert problem(await desk.asks("permitted", at=format_time(NOW + 1))) == "invalid"
    assert problem(await desk.asks("permitted", known_at=format_time(NOW + 1))) == "invalid"
    assert problem(await desk.asks("permitted", at="yesterday")) == "invalid"


@pytest.mark.parametrize("what", PERSONAL)
async def test_no_clear_value_and_no_pseudonym_is_told(desk: Desk, what: str) -> None:
    await desk.happened(*linked(APP, "phone:030 1234567"), consent("given", PROFILE))
    desk.follow()

    told = json.dumps(await desk.told(what))

    for identity in (APP, "phone:030 1234567"):
        assert pseudonym(identity) not in told
        assert pseudonym(identity).partition(":")[2] not in told
    assert "1234567" not in told


@pytest.mark.parametrize("what", PERSONAL)
async def test_without_evidence_nothing_is_answered(desk: Desk, what: str) -> None:
    assert problem(await desk.asks(what)) == "evidence-unavailable"


@pytest.mark.parametrize("what", PERSONAL)
async def test_an_officer_says_what_for(desk: Desk, what: str) -> None:
    desk.follow()

    assert problem(await desk.asks(what, headers={})) == "invalid"
    assert problem(await desk.asks(what, headers={"Rapport-Purpose": "answer"})) == "forbidden"
    assert desk.services.accesses.since(0, broke_glass=False, limit=10) == []


async def test_a_question_waits_for_what_was_just_written(desk: Desk) -> None:
    desk.follow()
    ref = await desk.ref()
    said = await desk.ask("POST", f"/v1/customers/{ref}/consents", json={"act": "given", "purpose": PROFILE})

    assert problem(await desk.asks("history", after=said.json()["after"])) == "not-folded-yet"
    desk.follow()
    assert len((await desk.told("history", after=said.json()["after"]))["timeline"]) == 1
    assert problem(await desk.asks("history", after="x")) == "bad-token"


async def test_every_look_at_a_person_is_listed_with_key_role_and_purpose(desk: Desk) -> None:
    desk.follow()
    await desk.card()
    await desk.told("history", headers={"Rapport-Purpose": "request"})
    await desk.told("history", identity="app:other")

    told = (await desk.told("accesses"))["accesses"]

    assert [(each["role"], each["what"], each["purpose"]) for each in told] == [
        ("privacy", "accesses", "audit"),
        ("privacy", "history", "request"),
        ("agent", "card", "undeclared"),
    ]
    assert {each["key"] for each in told} <= set(desk.keys.kept)
    assert {each["identity"]["ref"] for each in told} == {await desk.ref()}


async def test_looks_at_a_linked_identity_are_listed_too(desk: Desk) -> None:
    await desk.happened(*linked(APP, CARD))
    desk.follow()
    await desk.card(CARD)

    assert [each["what"] for each in (await desk.told("accesses"))["accesses"]] == ["accesses", "card"]


async def test_breaking_the_glass_needs_a_reason_and_is_reported(desk: Desk) -> None:
    desk.follow()
    ref, why = await desk.ref(), "投诉 of a card holder"
    path = f"/v1/customers/{ref}"

    refused = await desk.ask("GET", path, headers={"Rapport-Purpose": "incident"})
    reason = "%E6%8A%95%E8%AF%89 of a card holder"
    seen = await desk.ask("GET", path, headers={"Rapport-Purpose": "incident", "Rapport-Reason": reason})

    assert problem(refused) == "forbidden"
    assert seen.status_code == 200
    [told] = (await desk.told("accesses", None, broke_glass=True))["accesses"]
    assert (told["reason"], told["broke_glass"], told["role"]) == (why, True, "agent")


async def test_what_cannot_be_noted_is_not_shown(desk: Desk) -> None:
    desk.follow()
    desk.services.accesses.path.mkdir()

    assert problem(await desk.ask("GET", f"/v1/customers/{await desk.ref()}")) == "not-noted"
    assert problem(await desk.asks("history")) == "not-noted"


async def test_rates_are_told_without_a_person_and_of_yesterday(desk: Desk) -> None:
    await desk.happened(
        *(consent("given", PROFILE, identity=f"app:{n}", channel="web", at=NOW - DAY) for n in range(12))
    )
    await desk.happened(*(consent("given", PROFILE, identity=f"app:new{n}", channel="web") for n in range(12)))
    desk.follow()

    told = await desk.told("rates", None)

    assert told["least"] == 10
    assert told["figures"] == [
        {"purpose": PROFILE, "channel": "web", "notice": None, "people": {"given": 10}, "share_agreeing": 1.0}
    ]


async def test_rates_are_counted_anew_after_a_while_and_on_the_next_day(desk: Desk) -> None:
    def said(first: int) -> list[Fact]:
        return [consent("given", PROFILE, identity=f"app:{n}", at=NOW - DAY) for n in range(first, first + 10)]

    async def people() -> list[int]:
        desk.follow()
        return [each["people"]["given"] for each in (await desk.told("rates", None))["figures"]]

    await desk.happened(*said(0))
    first = await people()
    await desk.happened(*said(10))
    desk.now += KEPT_MS - 1
    soon = await people()
    desk.now += 1
    later = await people()
    await desk.happened(*said(20))
    desk.now = (NOW // DAY + 1) * DAY
    assert (first, soon, later, await people()) == ([10], [10], [20], [30])


async def test_rates_of_yesterday_are_not_told_past_midnight(desk: Desk) -> None:
    desk.now = (NOW // DAY + 1) * DAY - 1
    desk.follow()
    before = (await desk.told("rates", None))["before"]
    desk.now += 1

    assert (await desk.told("rates", None))["before"] == format_time(desk.now) != before


async def test_whom_to_ask_again_is_listed_page_by_page_each_person_once(desk: Desk) -> None:
    ended = [consent("given", PROFILE, identity=f"app:{n}", at=NOW - DAY, expires_at=NOW - 1) for n in range(5)]
    await desk.happened(
        *ended,
        *linked("app:0", "app:1", at=NOW - DAY),
        consent("withdrawn", PROFILE, identity="app:2", at=NOW - HOUR),
        consent("given", PROFILE, identity="app:stands", at=NOW - HOUR),
    )
    desk.follow()

    found, start = [], None
    while True:
        page = await desk.told("renewals", None, about=PROFILE, limit=2, **({} if start is None else {"start": start}))
        found += page["renewals"]
        if (start := page["next"]) is None:
            break

    first = min("app:0", "app:1", key=pseudonym)
    assert {each["identity"]["ref"] for each in found} == {await desk.ref(who) for who in (first, "app:3", "app:4")}
    assert len(found) == 3
    assert {each["because"] for each in found} == {"expired"}
    assert problem(await desk.asks("renewals", None, about="no.such")) == "invalid"
    assert problem(await desk.asks("renewals", None, about=PROFILE, headers={})) == "invalid"


async def test_a_reference_of_nobody_is_unknown(desk: Desk) -> None:
    answer = await desk.ask("GET", "/v1/officer/people/nobody/history", key="privacy", headers=AUDIT)

    assert problem(answer) == "unknown-ref"
