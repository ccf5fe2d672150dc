from pathlib import Path

from tests.api.world import World, problem
from tests.builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    case_opened,
    complaint,
    consent,
    event,
    fact,
    linked,
    money,
    purchased,
    unlinked,
)


async def test_a_lookup_does_not_tell_whether_we_know_the_person(world: World) -> None:
    await world.happened(purchased())

    known, unknown = await world.ref("app:42"), await world.ref("app:43")

    assert len(known) == len(unknown)
    assert (await world.card("app:43"))["known"] is False


async def test_an_identity_has_one_reference_in_whatever_way_it_is_written(world: World) -> None:
    assert await world.ref("phone:030 1234567") == await world.ref("phone:+49 30 1234567")


async def test_an_identity_that_cannot_be_read_is_refused_with_a_word(world: World) -> None:
    answer = await world.ask("POST", "/v1/customers/lookup", json={"identity": "phone:hello"})

    assert problem(answer) == "bad-identity"
    assert "hello" not in answer.text


async def test_no_answer_names_an_identity(world: World) -> None:
    await world.happened(linked("app:42", "phone:+49301234567"), purchased())

    answer = await world.ask("GET", f"/v1/customers/{await world.ref()}")

    assert answer.json()["identities"]["kinds"] == {"app": 1, "phone": 1}
    assert "301234567" not in answer.text
    assert "app:" not in answer.text


async def test_the_card_is_the_same_whichever_identity_was_looked_up(world: World) -> None:
    await world.happened(
        linked("app:42", "phone:+49301234567"), purchased(), case_opened(identity="phone:+49301234567")
    )

    by_app, by_phone = await world.card("app:42"), await world.card("phone:+49301234567")

    assert {**by_app, "ref": ""} == {**by_phone, "ref": ""}
    assert by_app["ref"] != by_phone["ref"]


async def test_traits_come_with_sample_and_window_and_evidence(world: World) -> None:
    order = purchased(amount=2500, at=NOW - DAY)
    await world.happened(order)

    revenue = (await world.card())["traits"]["revenue"]

    assert revenue["value"] == {"EUR": 2500}
    assert revenue["sample_size"] == 1
    assert revenue["evidence"] == [order.event_key.hex()]
    assert revenue["window"][1] == "2026-03-01T09:30:00.000Z"


async def test_a_trait_without_consent_is_withheld_with_the_reason(world: World) -> None:
    await world.happened(purchased())

    rfm = (await world.card())["traits"]["rfm"]

    assert rfm["value"] is None
    assert rfm["withheld"]["because"] == "never_asked"


async def test_consent_opens_what_was_withheld(world: World) -> None:
    await world.happened(consent("given", "profile.build"), purchased())
    await world.happened(fact("identity.described", attributes={"segment": "saver"}, at=NOW + 1))
    world.now += HOUR

    card = await world.card()

    assert card["traits"]["rfm"]["value"] is not None
    assert card["sections"]["profile.build"]["basis"] == "consent"
    assert card["attributes"] == {"segment": "saver"}


async def test_sensitive_attributes_are_not_shown_without_their_own_consent(world: World) -> None:
    await world.happened(consent("given", "data.sensitive", at=NOW - DAY))
    await world.happened(fact("identity.described", attributes={"baby": True}, at=NOW - HOUR))
    assert (await world.card())["attributes"] == {"baby": True}

    await world.happened(consent("withdrawn", "data.sensitive", at=NOW - MINUTE))

    assert (await world.card())["attributes"] == {}


async def test_the_brief_holds_what_waits_for_us(world: World) -> None:
    await world.happened(
        complaint("case-1", at=NOW - DAY, topics=["loan/status"]),
        fact("service.contact_started", contact_id="c-1", at=NOW - HOUR, channel="phone", topics=["loan/status"]),
        fact("service.contact_ended", contact_id="c-1", at=NOW - HOUR + MINUTE, wait_ms=45_000, to_human=True),
        purchased("order-1", at=NOW - DAY),
        fact("service.delivery_step", order_id="order-1", step="in_transit", at=NOW - HOUR),
        fact("transaction.subscribed", subscription_id="s-1", service="loan", at=NOW - DAY),
    )

    brief = (await world.card())["service"]

    assert [(case["id"], case["complaint"], case["topics"]) for case in brief["open_cases"]] == [
        ("case-1", True, ["loan/status"])
    ]
    assert [(contact["channel"], contact["wait_ms"], contact["to_human"]) for contact in brief["contacts"]] == [
        ("phone", 45_000, True)
    ]
    assert [(order["id"], order["step"], order["amount"]) for order in brief["orders"]] == [
        ("order-1", "in_transit", money(1000)["amount"])
    ]
    assert brief["subscriptions"] == ["loan"]


async def test_what_is_not_folded_in_time_is_asked_for_again(world: World) -> None:
    token = (await world.send(event("service.case_opened", case_id="case-1"))).json()["after"]

    answer = await world.ask("GET", f"/v1/customers/{await world.ref()}", params={"after": token})

    assert (answer.status_code, problem(answer)) == (503, "not-folded-yet")
    assert answer.headers["retry-after"] == "1"
    await world.fold()
    assert (await world.card(after=token))["known"]


async def test_a_token_of_somebody_else_is_refused(world: World) -> None:
    answer = await world.ask("GET", f"/v1/customers/{await world.ref()}", params={"after": "abc"})

    assert problem(answer) == "bad-token"


async def test_a_reference_we_did_not_make_is_not_found(world: World) -> None:
    assert problem(await world.ask("GET", "/v1/customers/app:42")) == "unknown-ref"


async def test_after_an_unlink_both_sides_are_as_if_never_linked(tmp_path: Path) -> None:
    phone = "phone:+49301234567"
    history = [
        *(consent("given", purpose, at=NOW - 9 * DAY) for purpose in ("profile.build", "suggest.personal")),
        purchased("order-1", at=NOW - 2 * DAY),
        complaint("case-1", identity=phone, at=NOW - DAY),
        purchased("order-2", identity=phone, at=NOW - HOUR),
    ]
    told = []
    for links in ([], [linked("app:42", phone, at=NOW - 3 * DAY), unlinked("app:42", phone, at=NOW - MINUTE)]):
        world = World(tmp_path)
        await world.log.start()
        await world.happened(*links[:1], history)
        together = [(await world.suggestions(identity)).json()["suggestions"] for identity in ("app:42", phone)]
        assert (together[0] == together[1]) == bool(links)
        await world.happened(*links[1:])
        told.append(
            [((await world.suggestions(each, k=50)).content, await world.card(each)) for each in ("app:42", phone)]
        )

    assert told[0] == told[1]
