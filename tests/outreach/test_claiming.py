"""Immediately before sending: go, or no-go with the reason."""

from collections.abc import Callable
from typing import Any

import pytest

from consent.door import Refused
from events.fact import Fact
from outreach.claiming import Go, NoGo
from outreach.decision import Decision
from outreach.facts import claimed_fact, sent_fact
from tests.builders import DAY, HOUR, MINUTE, NOW, complaint, consent, fact
from tests.consent.test_holds_contract import withdrawn
from tests.outreach.world import ANNA, EMAIL, PUSH, OutreachWorld, agreed, alert, machine, related, three

SOON = NOW + MINUTE


def claimed_by(decision: Decision) -> list[Fact]:
    return [claimed_fact(decision, now=SOON)]


def sent_by(decision: Decision) -> list[Fact]:
    return [sent_fact(decision, at=SOON, now=SOON)]


async def offered(**policy: Any) -> tuple[OutreachWorld, str]:
    world = OutreachWorld(**policy)
    [message] = await world.told(*agreed(PUSH), *three())
    return world, message["id"]


async def test_a_claim_is_a_go_once_with_a_receipt() -> None:
    world, outreach_id = await offered()

    answer = await world.claims.claim(outreach_id, at=SOON)

    assert isinstance(answer, Go)
    assert answer.decision.channel == "push"
    [decision] = await world.decisions(ANNA)
    assert decision.claim is not None
    assert (decision.claim.go, decision.claim.receipt) == (True, answer.receipt)
    assert await reason(world, outreach_id) == "already_claimed"


async def reason(world: OutreachWorld, outreach_id: str, *, at: int = SOON) -> str:
    answer = await world.claims.claim(outreach_id, at=at)
    assert isinstance(answer, NoGo)
    return answer.reason


async def test_a_claim_after_withdrawal_is_a_no_go_and_gives_the_cap_back() -> None:
    world, outreach_id = await offered(cap={"at_most": 1, "within_days": 7})
    await world.hear(consent("withdrawn", PUSH, identity=ANNA, at=NOW + 1))

    assert await reason(world, outreach_id) == "withdrawn"

    await world.told(*agreed("outreach.email"), *three("food", first=11, at=SOON), at=SOON)
    assert len(world.messages()) == 2


async def test_a_withdrawal_that_is_not_folded_yet_is_a_no_go() -> None:
    world, outreach_id = await offered()
    await world.people.holds.place([withdrawn(world.messages()[0]["to"], PUSH, at=NOW)])
    assert await reason(world, outreach_id) == "held"


async def test_a_withdrawal_of_personal_suggestions_is_a_no_go() -> None:
    world, outreach_id = await offered()
    await world.hear(consent("withdrawn", "suggest.personal", identity=ANNA, at=NOW + 1))
    assert await reason(world, outreach_id) == "needs"


async def test_a_claim_after_its_time_is_a_no_go() -> None:
    world, outreach_id = await offered()
    assert await reason(world, outreach_id, at=NOW + 4 * HOUR) == "expired"
    assert await reason(world, outreach_id, at=NOW) == "already_claimed"


async def test_a_complaint_in_between_is_a_no_go() -> None:
    world, outreach_id = await offered()
    await world.hear(complaint(at=NOW + 1))
    assert await reason(world, outreach_id) == "open_complaint"


async def test_a_claim_at_night_settles_nothing() -> None:
    world = OutreachWorld()
    evening = NOW + 10 * HOUR  # 20:30 in Berlin
    [message] = await world.told(*agreed(PUSH), *three(at=evening), at=evening)
    assert await reason(world, message["id"], at=evening + HOUR) == "quiet_hours"
    assert (await world.decisions(ANNA))[0].claim is None


@pytest.mark.parametrize("outreach_id", ["", "0-1", "9999-" + "0" * 32, "0-" + "0" * 32, "../x"])
async def test_what_is_no_message_is_a_no_go(outreach_id: str) -> None:
    assert await reason(OutreachWorld(), outreach_id) == "unknown"


async def test_a_decision_that_was_no_message_is_a_no_go() -> None:
    world = OutreachWorld()
    await world.told(*three())
    [decision] = await world.decisions(ANNA)
    assert await reason(world, decision.id) == "not_a_message"


async def test_a_task_whose_complaint_was_solved_meanwhile_is_a_no_go() -> None:
    world = OutreachWorld()
    [task] = await world.told(complaint(), at=NOW + DAY)
    await world.hear(fact("service.case_resolved", case_id="case-1", at=NOW + DAY + 1))
    assert await reason(world, task["id"], at=NOW + DAY + MINUTE) == "passed"


async def test_who_is_no_contact_any_more_is_a_no_go() -> None:
    world = OutreachWorld()
    jo = "email:jo@acme.test"
    [message] = await world.told(*machine(), *agreed(EMAIL, identity=jo), alert())
    await world.hear(*related(jo, "company:acme", "contact_of", ended=True, at=NOW + 1))
    assert await reason(world, message["id"]) == "nobody_to_address"


@pytest.mark.parametrize("facts", [claimed_by, sent_by])
async def test_what_the_log_tells_of_a_claim_is_not_given_again_by_a_store_that_lost_it(
    facts: Callable[[Decision], list[Fact]],
) -> None:
    world, outreach_id = await offered()
    [before] = await world.decisions(ANNA)
    answer = await world.claims.claim(outreach_id, at=SOON)
    assert isinstance(answer, Go)
    await world.records.write(before, before=answer.decision)
    await world.hear(*facts(answer.decision))

    assert await reason(world, outreach_id) == "already_claimed"

    assert await world.decisions(ANNA) == [before]


async def test_a_no_go_on_the_log_is_not_turned_into_a_go_by_a_store_that_lost_it() -> None:
    world, outreach_id = await offered()
    [before] = await world.decisions(ANNA)
    await world.hear(complaint(at=NOW + 1))
    answer = await world.claims.claim(outreach_id, at=SOON)
    assert isinstance(answer, NoGo)
    assert answer.decision is not None
    await world.records.write(before, before=answer.decision)
    await world.hear(claimed_fact(answer.decision, now=SOON), fact("service.case_resolved", case_id="case-1", at=SOON))

    assert await reason(world, outreach_id, at=SOON + 1) == "already_claimed"


async def test_claimed_and_sent_are_facts_of_the_identity_addressed() -> None:
    world, outreach_id = await offered()
    answer = await world.claims.claim(outreach_id, at=SOON)
    assert isinstance(answer, Go)

    await world.hear(
        claimed_fact(answer.decision, now=SOON), sent_fact(answer.decision, at=SOON, now=SOON + 1), *agreed()
    )

    view = await world.decider.addressing.persons.read(answer.decision.identity, now=SOON)
    message = view.service.messages[outreach_id]
    assert message.claimed is not None
    assert message.sent is not None
    assert (message.claimed.value, message.sent.value) == (True, ("bought-three-times", "delivery-flat-rate"))
    assert not isinstance(view.permits("outreach.push", at=SOON, known_at=SOON), Refused)
