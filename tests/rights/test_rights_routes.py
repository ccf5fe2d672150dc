"""Rights over HTTP: only the privacy officer, only for a declared purpose, only for who is verified as the person."""

from typing import Any

import httpx
import pytest

from commands.rights_facts import erasure_fact
from consent.purposes import PROFILE, SUGGEST
from consent.rights import STEPS
from events.fact import decode_fact
from tests.api.world import EVENTS, problem
from tests.builders import HOUR, NOW, PARTITIONS, consent, linked, pseudonym, purchased
from tests.officer.desk import AUDIT, Desk

SAID = (
    consent("given", PROFILE, at=NOW - HOUR),
    consent("given", SUGGEST, at=NOW - HOUR),
    consent("given", PROFILE, identity="card:7", at=NOW - HOUR),
    *linked("app:42", "card:7"),
    *linked("app:42", "phone:+49301234567", strength="probable"),
    purchased("o-1"),
)


async def asks(desk: Desk, method: str, what: str, **rest: Any) -> httpx.Response:
    headers = rest.pop("headers", AUDIT)
    path = f"/v1/rights/people/{await desk.ref()}/{what}"
    return await desk.ask(method, path, key=rest.pop("key", "privacy"), headers=headers, **rest)


async def test_a_plan_says_what_is_there_and_changes_nothing(desk: Desk) -> None:
    await desk.happened(*SAID)
    desk.follow()

    plan = (await asks(desk, "GET", "plan")).json()

    assert plan["identities"] == ["app", "card"]
    assert plan["not_verified_and_left"] == ["phone"]
    assert plan["holds_now"] == {"orders": 1, "touch": 1, "pieces of evidence": 6, "looks": 1}
    assert list(plan["steps"]) == list(STEPS)
    assert "intake topics on the broker" in {each["where"] for each in plan["survives"]}
    assert desk.services.rights.listed() == []


async def test_asking_keeps_a_request_for_all_verified_identities_and_no_others(desk: Desk) -> None:
    await desk.happened(*SAID)

    answer = await asks(desk, "POST", "erasure")

    assert answer.status_code == 202
    [kept] = desk.services.rights.pending()
    assert (answer.json()["request"], answer.json()["status"]) == (kept.id, "under_way")
    assert kept.identities == tuple(sorted([pseudonym("app:42"), pseudonym("card:7")]))
    assert kept.left == ("phone",)
    assert pseudonym("app:42") not in answer.text


async def test_every_door_is_closed_from_the_request_on_whether_or_not_a_keeper_runs(desk: Desk) -> None:
    await desk.happened(*SAID)
    assert (await standing(desk))[PROFILE]["allowed"] is True

    await asks(desk, "POST", "erasure")
    await desk.fold()

    for identity in ("app:42", "card:7"):
        assert (await standing(desk, identity))[PROFILE]["allowed"] is False
    assert (await standing(desk))["service.fulfil"]["allowed"] is True


async def test_who_comes_back_is_not_restricted_by_the_request(desk: Desk) -> None:
    await desk.happened(*SAID)
    desk.now += HOUR
    await asks(desk, "POST", "erasure")
    [kept] = desk.services.rights.pending()
    tombstones = [erasure_fact(kept, identity) for identity in kept.identities]
    late = [
        fact
        for partition in range(PARTITIONS)
        for record in desk.log.records(EVENTS, partition)
        if (fact := decode_fact(record.value)).received_at == kept.asked_at
    ]
    assert len(late) == 2
    await desk.happened(*tombstones)
    await desk.happened(*late)  # it came on the log behind the erasure

    desk.now += HOUR
    await desk.happened(consent("given", PROFILE, at=desk.now))

    assert (await standing(desk))[PROFILE]["allowed"] is True


async def test_a_log_that_is_away_keeps_nobody_from_asking(desk: Desk) -> None:
    await desk.happened(*SAID)
    await desk.log.stop()

    assert (await asks(desk, "POST", "erasure")).status_code == 202
    assert len(desk.services.rights.pending()) == 1


async def test_asking_again_answers_the_same_request(desk: Desk) -> None:
    first, second = await asks(desk, "POST", "erasure"), await asks(desk, "POST", "erasure")

    assert first.json()["request"] == second.json()["request"]
    told = await desk.ask("GET", "/v1/rights/erasures", key="privacy")
    assert [each["request"] for each in told.json()["erasures"]] == [first.json()["request"]]
    one = await desk.ask("GET", f"/v1/rights/erasures/{first.json()['request']}", key="privacy")
    assert (one.json()["next"], one.json()["certificate"]) == (["announced"], None)


async def test_a_request_nobody_made_is_not_known(desk: Desk) -> None:
    answer = await desk.ask("GET", f"/v1/rights/erasures/{'0' * 32}", key="privacy")

    assert (answer.status_code, problem(answer)) == (404, "unknown-request")


@pytest.mark.parametrize("key", ["agent", "marketing", "admin", "ingest"])
async def test_nobody_else_may_ask(desk: Desk, key: str) -> None:
    answer = await asks(desk, "POST", "erasure", key=key)

    assert (answer.status_code, problem(answer)) == (403, "forbidden")
    assert desk.services.rights.listed() == []


async def test_without_a_declared_purpose_nothing_is_begun(desk: Desk) -> None:
    answer = await asks(desk, "POST", "erasure", headers={})

    assert (answer.status_code, problem(answer)) == (422, "invalid")
    assert desk.services.rights.listed() == []


@pytest.mark.parametrize(("right", "closed"), [("restriction", "profile.build"), ("objection", "outreach.email")])
async def test_a_right_closes_doors_for_the_whole_person_until_it_is_ended(desk: Desk, right: str, closed: str) -> None:
    await desk.happened(*SAID, *(consent("given", closed, identity=each) for each in ("app:42", "card:7")))
    assert (await standing(desk))[closed]["allowed"] is True

    noted = await asks(desk, "POST", "rights", json={"right": right})
    await desk.fold()

    assert (noted.status_code, noted.json()["identities"]) == (202, 2)
    assert (await standing(desk))[closed]["allowed"] is False
    assert (await standing(desk, "card:7"))[closed]["allowed"] is False

    desk.now += HOUR
    await asks(desk, "POST", "rights", json={"right": right, "ended": True})
    await desk.fold()
    assert (await standing(desk))[closed]["allowed"] is True


async def standing(desk: Desk, identity: str = "app:42") -> dict[str, Any]:
    found = await desk.ask("GET", f"/v1/customers/{await desk.ref(identity)}/consents", key="privacy")
    return dict(found.json()["consents"])
