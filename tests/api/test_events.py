import json
from typing import Any

import pytest

from api.auth import BATCH_BYTES_MAX, Role
from api.events_routes import ITEMS_MAX
from events.admission import EVENT_BYTES_MAX
from tests.api.world import EVENTS, World, problem
from tests.builders import PARTITIONS, event, money, pseudonym


def purchase(order_id: str = "order-1", **rest: Any) -> dict[str, Any]:
    return event("transaction.purchased", order_id=order_id, total=money(1000), **rest)


def on_the_log(world: World) -> int:
    return sum(len(world.log.records(EVENTS, partition)) for partition in range(PARTITIONS))


async def test_an_event_is_on_the_log_when_it_is_acknowledged(world: World) -> None:
    answer = await world.send(purchase())

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert answer.json()["items"] == [{"index": 0, "status": "accepted"}]
    assert on_the_log(world) == 1


async def test_what_was_acknowledged_can_be_read_back_with_its_token(world: World) -> None:
    async with world.folding():
        token = (await world.send([purchase("order-1"), purchase("order-2")])).json()["after"]

        assert (await world.card(after=token))["traits"]["orders"]["value"] == 2


async def test_the_same_event_sent_again_counts_once(world: World) -> None:
    for _ in range(3):
        await world.send(purchase())
    await world.fold()

    assert (await world.card())["traits"]["orders"]["value"] == 1


async def test_each_event_of_a_batch_is_told_its_fate(world: World) -> None:
    answer = await world.send([purchase("order-1"), {"no": "event"}, purchase("order-2")])

    assert answer.status_code == 207
    assert (answer.json()["accepted"], answer.json()["refused"]) == (2, 1)
    assert [item["status"] for item in answer.json()["items"]] == ["accepted", "refused", "accepted"]
    assert answer.json()["items"][1]["code"] == "not_an_event"
    assert on_the_log(world) == 2


async def test_nothing_admitted_is_a_problem_that_says_why(world: World) -> None:
    answer = await world.send(event("transaction.unheard_of"))

    assert (answer.status_code, problem(answer)) == (422, "nothing-admitted")
    assert answer.json()["items"][0]["code"] == "unknown_type"


async def test_a_key_speaks_for_its_own_source_only(world: World) -> None:
    answer = await world.send(purchase(source="shop"))

    assert answer.json()["items"][0]["code"] == "type_not_allowed"


async def test_a_key_publishes_its_own_types_only(world: World) -> None:
    world.keys.add(Role.INGEST, name="till", source="crm", types=("transaction.*",))

    assert (await world.send(purchase(), key="till")).status_code == 202
    answer = await world.send(event("service.case_opened", case_id="case-1"), key="till")

    assert answer.json()["items"][0]["code"] == "type_not_allowed"


@pytest.mark.parametrize("privileged", ["consent.given", "identity.linked", "outreach.sent"])
async def test_a_key_that_names_no_types_cannot_change_what_may_be_done(world: World, privileged: str) -> None:
    world.keys.add(Role.INGEST, name="plain", source="crm")

    answer = await world.send(event(privileged), key="plain")

    assert answer.json()["items"][0]["code"] == "type_not_allowed"


async def test_a_withdrawal_sent_as_an_event_denies_from_its_acknowledgement(world: World) -> None:
    await world.send(event("consent.given", purpose="feedback.analyse"))
    await world.fold()
    assert (await world.card())["consents"]["feedback.analyse"]["allowed"]

    world.now += 1000
    answer = await world.send(event("consent.withdrawn", purpose="feedback.analyse"))

    assert answer.status_code == 202
    assert (await world.card())["consents"]["feedback.analyse"]["because"] == "held"
    await world.fold()
    assert (await world.holds.of([pseudonym("app:42")]))[pseudonym("app:42")] == frozenset()
    assert not (await world.card())["consents"]["feedback.analyse"]["allowed"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"a":1,"a":2}', "not-json"),
        (b"[NaN]", "not-json"),
        (b"\xff", "not-json"),
        (b"[" * 40 + b"]" * 40, "not-json"),
        (b"[]", "invalid"),
        (b"7", "nothing-admitted"),
    ],
)
async def test_what_is_not_an_event_is_refused(world: World, body: bytes, kind: str) -> None:
    answer = await world.ask(
        "POST", "/v1/events", key="ingest", content=body, headers={"Content-Type": "application/json"}
    )

    assert problem(answer) == kind


async def test_an_event_that_is_too_large_is_refused_alone(world: World) -> None:
    answer = await world.send([purchase(), {**purchase("order-2"), "padding": "x" * EVENT_BYTES_MAX}])

    assert [item.get("code") for item in answer.json()["items"]] == [None, "too_large"]


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(world: World) -> None:
    read = 0

    async def long() -> Any:
        nonlocal read
        while read < 200:
            read += 1
            yield b" " * 65536

    answer = await world.ask(
        "POST", "/v1/events", key="ingest", content=long(), headers={"Content-Type": "application/json"}
    )

    assert problem(answer) == "too-large"
    assert read * 65536 <= BATCH_BYTES_MAX + 65536


async def test_a_batch_has_a_bound(world: World) -> None:
    answer = await world.send([{}] * (ITEMS_MAX + 1))

    assert problem(answer) == "too-large"


async def test_another_kind_of_body_is_refused(world: World) -> None:
    answer = await world.ask(
        "POST", "/v1/events", key="ingest", content=json.dumps(purchase()), headers={"Content-Type": "text/plain"}
    )

    assert problem(answer) == "not-json-type"


async def test_a_silent_log_is_told_as_a_time_to_come_back(world: World) -> None:
    await world.log.stop()

    answer = await world.send(purchase())

    assert (answer.status_code, problem(answer)) == (503, "log-unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_link_stands_on_both_sides(world: World) -> None:
    await world.send(event("identity.linked", other="phone:+49301234567", strength="verified", reason="login"))
    await world.fold()

    assert (await world.card())["identities"] == {"count": 2, "kinds": {"app": 1, "phone": 1}, "apart": {}}
