"""Decisions told and messages claimed over HTTP, on decisions that were really made."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from consent.purposes import SENSITIVE
from consent.rules import shipped_rules
from profiles.person import PersonReader, StoreFacets
from tests.api.world import World, problem
from tests.builders import DAY, HOUR, NOW, PARTITIONS, complaint, consent, pseudonym
from tests.outreach.world import OutreachWorld, agreed, bought

OFFER = [bought(number, at=NOW - number * HOUR) for number in range(1, 4)]


@pytest.fixture
async def told(world: World) -> tuple[World, OutreachWorld]:
    """A world whose API and outreach look at the same people."""
    outreach = OutreachWorld()
    people = replace(world.services.persons, source=outreach.people)
    return world.with_services(persons=people, outreach=outreach.records, claims=outreach.claims), outreach


async def decided(world: World, identity: str = "app:42", *, key: str = "agent") -> list[dict[str, Any]]:
    answer = await world.ask("GET", f"/v1/customers/{await world.ref(identity)}/outreach", key=key)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["decisions"]
    return found


async def claim(world: World, outreach_id: str, *, key: str = "marketing") -> httpx.Response:
    return await world.ask("POST", f"/v1/outreach/{outreach_id}/claim", key=key)


async def test_a_message_is_told_with_what_it_rests_on_and_claimed_once(told: tuple[World, OutreachWorld]) -> None:
    world, outreach = told
    [message] = await outreach.told(*agreed("outreach.email"), *OFFER)

    first, again = await claim(world, message["id"]), await claim(world, message["id"])

    assert (first.status_code, first.json()["go"], first.json()["because"]) == (200, True, "go")
    assert first.json()["receipt"]
    assert (again.json()["go"], again.json()["because"], again.json()["service"]) == (False, "already_claimed", None)
    [card] = await decided(world)
    assert (card["id"], card["verdict"], card["channel"]) == (message["id"], "send", message["channel"])
    assert card["grounds"]
    assert card["evidence"]
    assert card["claim"]["go"] is True


async def test_a_claim_is_on_the_log_once_for_the_fold(told: tuple[World, OutreachWorld]) -> None:
    world, outreach = told
    [message] = await outreach.told(*agreed("outreach.email"), *OFFER)
    await claim(world, message["id"])
    await claim(world, message["id"])

    await world.fold()

    loaded = await StoreFacets(world.store, world.holds, PARTITIONS).load_many([pseudonym("app:42")])
    facet = loaded[pseudonym("app:42")].facet
    assert facet.service.messages[message["id"]].claimed is not None
    assert len(facet.recent) == 12


async def test_a_withdrawal_between_decision_and_claim_is_a_no_go(told: tuple[World, OutreachWorld]) -> None:
    world, outreach = told
    [message] = await outreach.told(*agreed("outreach.email"), *OFFER)
    await outreach.hear(consent("withdrawn", "outreach.email", at=NOW))

    answer = await claim(world, message["id"])

    assert answer.json()["go"] is False
    assert answer.json()["service"] is None
    assert answer.json()["receipt"]


async def test_a_message_shows_nothing_of_the_profile_once_suggestions_are_refused(
    told: tuple[World, OutreachWorld],
) -> None:
    world, outreach = told
    await outreach.told(*agreed("outreach.email"), *OFFER)
    [before] = await decided(world)
    await outreach.hear(consent("withdrawn", "suggest.personal", at=NOW))

    [after] = await decided(world)

    assert before["service"]
    assert before["evidence"]
    assert (after["id"], after["verdict"], after["grounds"]) == (before["id"], "send", before["grounds"])
    assert (after["service"], after["evidence"]) == (None, [])


async def test_a_message_of_sensitive_goods_shows_nothing_of_them_once_that_alone_is_refused(
    told: tuple[World, OutreachWorld],
) -> None:
    world, outreach = told
    baby = [bought(number, "baby", at=NOW - number * HOUR) for number in range(11, 14)]
    await outreach.told(*agreed("outreach.email", SENSITIVE), *OFFER, *baby)
    before = {card["id"]: card for card in await decided(world)}
    await outreach.hear(consent("withdrawn", SENSITIVE, at=NOW))

    after = {card["id"]: card for card in await decided(world)}

    [of_baby] = [each for each, card in before.items() if card["service"] == "diapers"]
    [of_other] = before.keys() - {of_baby}
    assert before[of_baby]["evidence"]
    assert (after[of_baby]["service"], after[of_baby]["evidence"]) == (None, [])
    assert after[of_other] == before[of_other]
    assert after[of_other]["claim"] is None


async def test_a_task_is_shown_whatever_was_agreed_to(told: tuple[World, OutreachWorld]) -> None:
    world, outreach = told
    await outreach.told(complaint("case-1", at=NOW), at=NOW + DAY)

    [card] = await decided(world)

    assert card["service"] == "care-call"
    assert card["evidence"]


@pytest.mark.parametrize(("key", "because"), [("agent", "withdrawn"), ("marketing", "not_permitted")])
async def test_why_a_person_may_not_be_written_to_is_not_told_to_a_marketer(
    told: tuple[World, OutreachWorld], key: str, because: str
) -> None:
    world, outreach = told
    [message] = await outreach.told(*agreed("outreach.email"), *OFFER)
    await outreach.hear(consent("withdrawn", "outreach.email", at=NOW))

    answer = await claim(world, message["id"], key=key)

    assert (answer.json()["go"], answer.json()["because"]) == (False, because)


async def test_a_message_out_of_date_is_a_no_go(told: tuple[World, OutreachWorld]) -> None:
    world, outreach = told
    [message] = await outreach.told(*agreed("outreach.email"), *OFFER)
    world.now += 30 * DAY

    assert (await claim(world, message["id"])).json()["go"] is False


@pytest.mark.parametrize("outreach_id", ["none", f"3-{'0' * 32}", "3-xyz", f"99999-{'0' * 32}"])
async def test_a_message_nobody_decided_on_is_not_found(world: World, outreach_id: str) -> None:
    answer = await claim(world, outreach_id)

    assert (answer.status_code, problem(answer)) == (404, "unknown-outreach")


async def test_why_nobody_wrote_is_told_to_the_privacy_officer_and_not_to_the_marketer(
    told: tuple[World, OutreachWorld],
) -> None:
    world, outreach = told
    await outreach.told(*OFFER)

    [card] = await decided(world, key="privacy")

    assert card["verdict"] == "never"
    assert card["service"] is None
    refused = await world.ask("GET", f"/v1/customers/{await world.ref()}/outreach", key="marketing")
    assert problem(refused) == "forbidden"


async def test_what_was_sent_is_noted_only_after_a_go(told: tuple[World, OutreachWorld]) -> None:
    world, outreach = told
    [message] = await outreach.told(*agreed("outreach.email"), *OFFER)
    path = f"/v1/outreach/{message['id']}/sent"

    early = await world.ask("POST", path, key="marketing", json={})
    await claim(world, message["id"])
    sent = [await world.ask("POST", path, key="marketing", json={}) for _ in range(2)]
    await world.fold()

    assert (early.status_code, problem(early)) == (409, "not-claimed")
    assert [answer.status_code for answer in sent] == [202, 202]
    view = await PersonReader(StoreFacets(world.store, world.holds, PARTITIONS), rules=shipped_rules()).read(
        pseudonym("app:42"), now=NOW
    )
    assert view.service.messages[message["id"]].sent is not None
    unknown = await world.ask("POST", f"/v1/outreach/3-{'0' * 32}/sent", key="marketing", json={})
    assert problem(unknown) == "unknown-outreach"


async def test_a_claim_without_a_log_is_no_go_ahead(told: tuple[World, OutreachWorld]) -> None:
    world, outreach = told
    [message] = await outreach.told(*agreed("outreach.email"), *OFFER)
    await world.log.stop()

    assert problem(await claim(world, message["id"])) == "log-unavailable"
    await world.log.start()
    assert (await claim(world, message["id"])).json()["go"] is False
